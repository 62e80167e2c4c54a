/* clock.h - waiting, and Xen's system time. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds since the hypervisor started. */
uint64_t clock_ns(void);
/* Spin until `ns` of system time have passed. */
void clock_spin(uint64_t ns);
/* Yield until the word is not `value` any more, at most about `turns` times. True: it is not. */
bool wait_while(const volatile unsigned *word, unsigned value, unsigned turns);

#endif
