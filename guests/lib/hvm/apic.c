/* apic.c (HVM) - interrupts by vector. */
#include <guest.h>

static unsigned counts[256];
static void (*watchers[256])(unsigned);
static bool expected[256], no_eoi[256];

void apic_enable(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 11);
    lapic_write(LAPIC_SVR, 0x1ff);
    this_cpu()->arch.apic_id = lapic_read(LAPIC_ID) >> 24;
}

void apic_send(uint32_t to, uint32_t command)
{
    lapic_write(LAPIC_ICR2, to << 24);
    lapic_write(LAPIC_ICR, command);
}

unsigned interrupt_count(unsigned vector)
{
    return READ_ONCE(counts[vector & 0xff]);
}

void interrupt_watch(unsigned vector, void (*handler)(unsigned))
{
    watchers[vector & 0xff] = handler;
    expected[vector & 0xff] = true;
}

void interrupt_without_eoi(unsigned vector)
{
    no_eoi[vector & 0xff] = true;
}

bool interrupt_wait(unsigned vector, unsigned count, uint64_t ns)
{
    uint64_t end = clock_ns() + ns;
    unsigned long flags = x86_flags();

    expected[vector & 0xff] = true;
    irq_enable();
    while (interrupt_count(vector) < count && clock_ns() < end)
        __asm__ volatile("pause");
    x86_set_flags(flags);
    return interrupt_count(vector) >= count;
}

bool interrupt_halt(unsigned vector, unsigned count)
{
    expected[vector & 0xff] = true;
    for (unsigned turns = 0; interrupt_count(vector) < count && turns < count + 8; turns++)
        wait_for_interrupt();
    return interrupt_count(vector) >= count;
}

void apic_sleep(uint32_t ns)
{
    enum { DIVIDE_BY_1 = 0xb, SLEEP_VECTOR = 0xf1 };
    unsigned before = interrupt_count(SLEEP_VECTOR);

    expected[SLEEP_VECTOR] = true;
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, SLEEP_VECTOR);
    lapic_write(LAPIC_INITIAL, ns);
    while (interrupt_count(SLEEP_VECTOR) == before)
        wait_for_interrupt();
}

bool apic_interrupt(unsigned vector)
{
    if (!expected[vector])
        return false;
    __atomic_fetch_add(&counts[vector], 1, __ATOMIC_SEQ_CST);
    if (watchers[vector])
        watchers[vector](vector);
    if (!no_eoi[vector])
        lapic_write(LAPIC_EOI, 0);
    return true;
}
