/* clock.h - waiting, and Xen's system time, from vcpu_time_info and the cycle counter (xen/include/public/xen.h). */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds since the hypervisor started, by the version protocol. */
uint64_t clock_ns(void);
/* The same from any vcpu_time_info (a secondary area, or another vcpu's). */
struct vcpu_time_info;
uint64_t clock_ns_from(const struct vcpu_time_info *time);
/* Spin until `ns` of system time have passed. */
void clock_spin(uint64_t ns);
/* Yield until the word is not `value` any more, at most about `turns` times. True: it is not. */
bool wait_while(const volatile unsigned *word, unsigned value, unsigned turns);

#endif
