/* @title  a ticking kernel
 * @fact   a handler that sets the compare value on by a period has its ticks at their times, however long it takes; both timers
 *         at once
 * @source Arm DDI 0487, D12.2.4
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>
#include <timer_regs.h>

enum { TICKS = 50, PERIOD_NS = 100000, OTHER_NS = 70000 };
static uint64_t next_virtual, next_physical, latest;
static unsigned early, virtual_ticks, physical_ticks;

static void note(uint64_t now, uint64_t due)
{
    early += now < due;
    latest = now > due && now - due > latest ? now - due : latest;
}

static void on_virtual(unsigned interrupt)
{
    (void)interrupt;
    note(cntvct_read(), next_virtual);
    virtual_ticks++;
    next_virtual += timer_ticks(PERIOD_NS);
    cntv_cval_write(next_virtual);
}

static void on_physical(unsigned interrupt)
{
    (void)interrupt;
    note(cntpct_read(), next_physical);
    physical_ticks++;
    next_physical += timer_ticks(OTHER_NS);
    cntp_cval_write(next_physical);
}

void test_main(void)
{
    interrupt_watch(GUEST_TIMER_VIRT_PPI, on_virtual);
    interrupt_watch(GUEST_TIMER_PHYS_NS_PPI, on_physical);
    gic_enable(GUEST_TIMER_VIRT_PPI);
    gic_enable(GUEST_TIMER_PHYS_NS_PPI);
    next_virtual = cntvct_read() + timer_ticks(PERIOD_NS);
    next_physical = cntpct_read() + timer_ticks(OTHER_NS);
    timer_virtual(next_virtual, TIMER_ENABLE);
    timer_physical(next_physical, TIMER_ENABLE);
    while (virtual_ticks < TICKS)
        wait_for_interrupt();
    check_eq(early, 0);
    check(timer_ns(latest) < 20000);
    check(physical_ticks >= TICKS * PERIOD_NS / OTHER_NS - 1 && physical_ticks <= TICKS * PERIOD_NS / OTHER_NS + 1);
    timer_virtual(0, 0);
    timer_physical(0, 0);
}
