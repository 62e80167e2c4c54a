/* text.h - memory and strings: what the compiler may call (memcpy ...), and the little that tests need. */
#ifndef GUEST_TEXT_H
#define GUEST_TEXT_H
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
const char *strstr(const char *in, const char *what);

#endif
