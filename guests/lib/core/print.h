/* print.h - formatted text: %c %s %d %u %x %p with width, zero padding, l, ll and z. */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H
#include <stdarg.h>
#include <stddef.h>

/* Format into `out` (always terminated when size > 0). Returns the length the whole text would have had. */
int vsnprintf(char *out, size_t size, const char *format, va_list args);
int snprintf(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* To the guest's console. One call is at most 500 characters. */
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
