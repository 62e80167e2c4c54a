/* timer.c (ARM) - time: Xen's system time is what the virtual counter says. */
#include <guest.h>

enum { NS_PER_S = 1000000000 };

uint64_t timer_ns(uint64_t ticks)
{
    uint64_t frequency = arch_counter_frequency();

    return ticks / frequency * NS_PER_S + ticks % frequency * NS_PER_S / frequency;
}

uint64_t timer_ticks(uint64_t ns)
{
    uint64_t frequency = arch_counter_frequency();

    return ns / NS_PER_S * frequency + ns % NS_PER_S * frequency / NS_PER_S;
}

uint64_t clock_ns(void)
{
    return timer_ns(arch_counter());
}
