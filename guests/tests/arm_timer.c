/* @title  the generic timer
 * @fact   a timer's condition is met from its compare value on; its interrupt stands while that is so, it is enabled and not
 *         masked; the value register is the distance to the count, with sign; nothing that is enabled comes early
 * @source Arm DDI 0487, D12.2.4; DDI 0406C, B8.1.5
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>
#include <timer_regs.h>

struct timer {
    unsigned interrupt;
    uint64_t (*count)(void), (*ctl)(void), (*cval)(void), (*tval)(void);
    void (*set_ctl)(uint64_t), (*set_cval)(uint64_t), (*set_tval)(uint64_t);
};
static const struct timer timers[] = {
    { GUEST_TIMER_VIRT_PPI, cntvct_read, cntv_ctl_read, cntv_cval_read, cntv_tval_read, cntv_ctl_write, cntv_cval_write,
      cntv_tval_write },
    { GUEST_TIMER_PHYS_NS_PPI, cntpct_read, cntp_ctl_read, cntp_cval_read, cntp_tval_read, cntp_ctl_write, cntp_cval_write,
      cntp_tval_write },
};
enum { FAR = 10000000 };

static void one(const struct timer *t)
{
    gic_enable(t->interrupt);
    check_eq(t->ctl(), 0);
    uint64_t due = t->count() + timer_ticks(20000);

    t->set_cval(due);
    check(t->cval() == due);
    t->set_ctl(TIMER_ENABLE);
    check_eq(t->ctl(), TIMER_ENABLE);
    check_eq(gic_highest(), GIC_SPURIOUS);
    while (!(t->ctl() & TIMER_FIRED))
        ;
    uint64_t seen = t->count();

    check(seen >= due && seen < due + timer_ticks(2000));
    check_eq(gic_highest(), t->interrupt);

    gic_write(GICD_ICPENDR, t->interrupt);              /* a level is not cleared */
    check(gic_has(GICD_ISPENDR, t->interrupt));
    t->set_ctl(TIMER_ENABLE | TIMER_MASKED);
    check_eq(t->ctl(), TIMER_ENABLE | TIMER_MASKED | TIMER_FIRED);
    check(!gic_has(GICD_ISPENDR, t->interrupt));
    t->set_ctl(TIMER_ENABLE);
    check_eq(gic_take_and_end(), t->interrupt);
    check_eq(gic_highest(), t->interrupt);              /* and comes again while it stands */
    t->set_cval(t->count() + timer_ticks(FAR));
    check_eq(t->ctl(), TIMER_ENABLE);
    check_eq(gic_highest(), GIC_SPURIOUS);
    t->set_ctl(0);
    check_eq(t->ctl(), 0);

    t->set_tval(5000);
    uint64_t left = t->tval();

    check(left <= 5000 && left > 4000);
    check(t->cval() > t->count());
    t->set_tval(0xffffff00);
    check(t->cval() < t->count());
    check_eq(t->tval() >> 31, 1);
    check_eq(t->tval() >> 32, 0);
    gic_disable(t->interrupt);
}

void test_main(void)
{
    gic_without_events();
    for (unsigned i = 0; i < ARRAY_SIZE(timers); i++)
        one(&timers[i]);
}
