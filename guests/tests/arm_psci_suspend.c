/* @title  PSCI: a processor suspended
 * @fact   CPU_SUSPEND waits for an interrupt, whatever state it asks for, and goes on behind the call; with one there it does
 *         not wait
 * @source Arm DEN 0022, 5.1.2; Xen 4.17, xen/arch/arm/vpsci.c
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>

enum { POWER_DOWN = 1 << 16 };

static uint64_t suspend(unsigned long state, uint64_t ns)
{
    uint64_t start = arch_counter();

    timer_virtual(start + timer_ticks(ns), TIMER_ENABLE);
    check_eq(psci(PSCI_FN_CPU_SUSPEND | ARCH_PSCI, state, 0, 0), PSCI_SUCCESS);
    return timer_ns(arch_counter() - start);
}

void test_main(void)
{
    gic_without_events();
    gic_enable(GUEST_TIMER_VIRT_PPI);
    uint64_t took = suspend(0, 1000000);

    check(took >= 1000000 && took < 1010000);
    took = suspend(POWER_DOWN, 1000000);
    check(took >= 1000000 && took < 1010000);
    check_eq(gic_highest(), GUEST_TIMER_VIRT_PPI);
    uint64_t start = arch_counter();

    psci(PSCI_FN_CPU_SUSPEND | ARCH_PSCI, 0, 0, 0);
    check(timer_ns(arch_counter() - start) < 10000);
}
