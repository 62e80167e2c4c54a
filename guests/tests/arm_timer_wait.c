/* @title  waiting for a timer
 * @fact   WFI ends when a timer's interrupt stands, whether PSTATE lets it be taken or not, at its time; it does not wait if it
 *         stands already; the time in between passes
 * @source Arm DDI 0487, D1.6.2 (WFI), D12.2.4; DDI 0406C, B1.8.14
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>
#include <timer_regs.h>

static uint64_t wait_ns(uint64_t ns)
{
    uint64_t start = arch_counter(), end;

    timer_virtual(start + timer_ticks(ns), TIMER_ENABLE);
    __asm__ volatile("wfi" : : : "memory");
    end = arch_counter();
    return timer_ns(end - start);
}

static void stop(unsigned interrupt)
{
    (void)interrupt;
    timer_virtual(0, 0);
}

void test_main(void)
{
    gic_without_events();
    unsigned interrupt = GUEST_TIMER_VIRT_PPI;

    gic_enable(interrupt);
    for (uint64_t ns = 10000; ns <= 1000000000; ns *= 10) {
        uint64_t took = wait_ns(ns);

        check(took >= ns && took < ns + 5000);
        check_eq(gic_highest(), interrupt);
    }
    uint64_t start = arch_counter();

    __asm__ volatile("wfi" : : : "memory");             /* it still stands */
    check(timer_ns(arch_counter() - start) < 5000);

    interrupt_watch(interrupt, stop);
    timer_virtual(arch_counter() + timer_ticks(100000), TIMER_ENABLE);
    while (!interrupt_count(interrupt))
        wait_for_interrupt();
    check_eq(interrupt_count(interrupt), 1);
}
