/* @title  pending, enabled, active
 * @fact   a pending interrupt that is enabled is taken once; one that is disabled or already active waits, and is not forgotten;
 *         the set and clear registers read alike
 * @source Arm IHI 0048B 3.2.4, 4.3.5-4.3.10; IHI 0069 4.1
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>

enum { PPI = 20 };

void test_main(void)
{
    gic_without_events();
    check_eq(gic_acknowledge() & GIC_ID, GIC_SPURIOUS);
    gic_priority(PPI, GIC_PRIORITY);
    gic_pend(PPI);
    check(gic_has(GICD_ISPENDR, PPI) && gic_has(GICD_ICPENDR, PPI));
    check(!gic_has(GICD_ISENABLER, PPI));
    check_eq(gic_highest(), GIC_SPURIOUS);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);

    gic_enable(PPI);
    check(gic_has(GICD_ISENABLER, PPI) && gic_has(GICD_ICENABLER, PPI));
    check_eq(gic_highest(), PPI);
    uint32_t taken = gic_acknowledge();

    check_eq(taken & GIC_ID, PPI);
    check(!gic_has(GICD_ISPENDR, PPI) && gic_has(GICD_ISACTIVER, PPI));
    gic_pend(PPI);                                      /* active and pending */
    check(gic_has(GICD_ISPENDR, PPI));
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    gic_end(taken);
    check(!gic_has(GICD_ISACTIVER, PPI));
    check_eq(gic_take_and_end(), PPI);

    gic_pend(PPI);
    gic_write(GICD_ICPENDR, PPI);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    gic_write(GICD_ISACTIVER, PPI);
    gic_pend(PPI);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    gic_write(GICD_ICACTIVER, PPI);
    gic_disable(PPI);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    gic_enable(PPI);
    interrupt_expect(PPI);
    check(interrupt_wait(PPI, 1, 100000));
    check_eq(interrupt_count(PPI), 1);
}
