/* interrupts.c (whole processors) - interrupts by number. */
#include <guest.h>

static unsigned counts[INTERRUPTS];
static void (*watchers[INTERRUPTS])(unsigned);
static bool expected[INTERRUPTS];

unsigned interrupt_count(unsigned number)
{
    return number < INTERRUPTS ? READ_ONCE(counts[number]) : 0;
}

void interrupt_expect(unsigned number)
{
    if (number >= INTERRUPTS)
        broken("there is no interrupt %u", number);
    expected[number] = true;
}

void interrupt_watch(unsigned number, void (*handler)(unsigned))
{
    interrupt_expect(number);
    watchers[number] = handler;
}

bool interrupt_wait(unsigned number, unsigned count, uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    interrupt_expect(number);
    unsigned long before = arch_interrupts_open();
    while (interrupt_count(number) < count && clock_ns() < end)
        arch_relax();
    arch_interrupts_restore(before);
    return interrupt_count(number) >= count;
}

bool interrupt_taken(unsigned number)
{
    if (number >= INTERRUPTS || !expected[number])
        return false;
    __atomic_fetch_add(&counts[number], 1, __ATOMIC_SEQ_CST);
    if (watchers[number])
        watchers[number](number);
    return true;
}
