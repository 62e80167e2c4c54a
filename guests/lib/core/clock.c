/* clock.c - waiting. */
#include <guest.h>

void clock_spin(uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    while (clock_ns() < end)
        ;
}

bool wait_while(const volatile unsigned *word, unsigned value, unsigned turns)
{
    while (*word == value && turns--)
        hcall(sched_op, SCHEDOP_yield, 0);
    return *word != value;
}
