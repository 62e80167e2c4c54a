/* @title  priority drop and deactivation apart
 * @fact   with EOImode the end of an interrupt lets others of its priority come, but not itself, until it is deactivated
 * @source Arm IHI 0048B 3.2.1, 4.4.15; IHI 0069 4.4
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>

enum { ONE = 20, OTHER = 21 };

void test_main(void)
{
    gic_without_events();
    gic_enable(ONE);
    gic_enable(OTHER);
    gic_split_end(true);
    gic_pend(ONE);
    uint32_t one = gic_acknowledge();

    check_eq(one & GIC_ID, ONE);
    gic_pend(ONE);
    gic_pend(OTHER);
    check_eq(gic_acknowledge() & GIC_ID, GIC_SPURIOUS);
    gic_end(one);
    check_eq(gic_running(), GIC_IDLE);
    check(gic_has(GICD_ISACTIVER, ONE));
    uint32_t other = gic_acknowledge();

    check_eq(other & GIC_ID, OTHER);
    gic_end(other);
    gic_deactivate(other);
    check(!gic_has(GICD_ISACTIVER, OTHER));
    check_eq(gic_acknowledge() & GIC_ID, GIC_SPURIOUS);
    gic_deactivate(one);
    one = gic_acknowledge();
    check_eq(one & GIC_ID, ONE);
    gic_end(one);
    gic_deactivate(one);
    gic_split_end(false);
    gic_pend(ONE);
    check_eq(gic_take_and_end(), ONE);
    check(!gic_has(GICD_ISACTIVER, ONE));
}
