/* apic.c (HVM) - interrupts by vector. */
#include <guest.h>

static bool no_eoi[256];

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

void interrupt_without_eoi(unsigned vector)
{
    no_eoi[vector & 0xff] = true;
}

bool interrupt_halt(unsigned vector, unsigned count)
{
    interrupt_expect(vector);
    for (unsigned turns = 0; interrupt_count(vector) < count && turns < count + 8; turns++)
        wait_for_interrupt();
    return interrupt_count(vector) >= count;
}

void apic_sleep(uint32_t ns)
{
    enum { DIVIDE_BY_1 = 0xb, SLEEP_VECTOR = 0xf1 };
    unsigned before = interrupt_count(SLEEP_VECTOR);

    interrupt_expect(SLEEP_VECTOR);
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, SLEEP_VECTOR);
    lapic_write(LAPIC_INITIAL, ns);
    while (interrupt_count(SLEEP_VECTOR) == before)
        wait_for_interrupt();
}

bool apic_interrupt(unsigned vector)
{
    if (!interrupt_taken(vector))
        return false;
    if (!no_eoi[vector])
        lapic_write(LAPIC_EOI, 0);
    return true;
}
