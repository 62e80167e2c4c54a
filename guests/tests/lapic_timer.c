/* @title  the local APIC's timer
 * @fact   one-shot, periodic and TSC deadline interrupts come when they are due, masked ones do not come
 * @source Intel SDM volume 3, 10.5.4
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { VECTOR = 0x40, DIVIDE_BY_1 = 0xb };

void test_main(void)
{
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    uint64_t start = clock_ns();

    lapic_write(LAPIC_INITIAL, 100000);
    check(lapic_read(LAPIC_CURRENT) > 90000 && lapic_read(LAPIC_CURRENT) <= 100000);
    check(interrupt_wait(VECTOR, 1, 1000000));
    uint64_t took = clock_ns() - start;
    check(took >= 100000 && took < 110000);
    check_eq(lapic_read(LAPIC_CURRENT), 0);

    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_PERIODIC);
    lapic_write(LAPIC_INITIAL, 50000);
    check(interrupt_wait(VECTOR, 11, 10000000));
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_PERIODIC | LVT_MASKED);
    unsigned before = interrupt_count(VECTOR);
    check(!interrupt_wait(VECTOR, before + 1, 300000));
    lapic_write(LAPIC_INITIAL, 0);

    check(x86_cpuid(1, 0).ecx >> 24 & 1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    uint64_t deadline = x86_rdtsc() + 20000;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    check_eq(rdmsr(MSR_TSC_DEADLINE), deadline);
    /* Halted, the processor wakes exactly then. */
    while (interrupt_count(VECTOR) == before)
        wait_for_interrupt();
    check(x86_rdtsc() >= deadline && x86_rdtsc() < deadline + 1000);
    check_eq(rdmsr(MSR_TSC_DEADLINE), 0);
}
