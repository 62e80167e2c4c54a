/* timer.h (ARM) - the generic timer, physical and virtual. Facts: Arm DDI 0487, chapter D12. */
#ifndef GUEST_ARM_TIMER_H
#define GUEST_ARM_TIMER_H
#include <stdint.h>

enum { TIMER_ENABLE = 1, TIMER_MASKED = 2, TIMER_FIRED = 4 };

/* Ticks of the counter in so many nanoseconds, and the other way round. */
uint64_t timer_ticks(uint64_t ns);
uint64_t timer_ns(uint64_t ticks);

#endif
