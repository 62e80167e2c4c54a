/* @title  priorities of interrupts
 * @fact   the highest priority is taken first, the lowest number among equals; the mask and the running priority keep the others
 *         away; the binary point says how much of a priority preempts
 * @source Arm IHI 0048B 3.3; IHI 0069 4.8
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>

enum { FIRST = 20, COUNT = 4 };
static const uint8_t priorities[COUNT] = { 0x80, 0x40, 0xc0, 0x40 };

static void all_pending(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        gic_enable(FIRST + i);
        gic_priority(FIRST + i, priorities[i]);
        gic_pend(FIRST + i);
    }
}

/* While one of priority `running` is served: does one of `other` come in between? */
static bool preempts(uint8_t running, uint8_t other)
{
    gic_priority(FIRST, running);
    gic_priority(FIRST + 1, other);
    gic_pend(FIRST);
    uint32_t outer = gic_acknowledge();

    check_eq(outer & GIC_ID, FIRST);
    gic_pend(FIRST + 1);
    uint32_t inner = gic_acknowledge();

    if ((inner & GIC_ID) == FIRST + 1)
        gic_end(inner);
    gic_end(outer);
    if ((inner & GIC_ID) == GIC_SPURIOUS)
        check_eq(gic_take_and_end(), FIRST + 1);
    check_eq(gic_running(), GIC_IDLE);
    return (inner & GIC_ID) == FIRST + 1;
}

void test_main(void)
{
    gic_without_events();
    all_pending();
    check_eq(gic_take_and_end(), FIRST + 1);
    check_eq(gic_take_and_end(), FIRST + 3);
    check_eq(gic_take_and_end(), FIRST);
    check_eq(gic_take_and_end(), FIRST + 2);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);

    all_pending();
    gic_mask(0x80);
    check_eq(gic_get_mask(), 0x80);
    check_eq(gic_take_and_end(), FIRST + 1);
    check_eq(gic_take_and_end(), FIRST + 3);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    if (gic_is_v3())
        check_eq(gic_highest(), FIRST);                 /* the mask does not hide it */
    gic_mask(0xff);
    uint32_t taken = gic_acknowledge();

    check_eq(taken & GIC_ID, FIRST);
    check_eq(gic_running(), 0x80);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    gic_end(taken);
    check_eq(gic_take_and_end(), FIRST + 2);
    check_eq(gic_running(), GIC_IDLE);

    check(preempts(0x80, 0x40));
    check(preempts(0x88, 0x80));
    check(!preempts(0x80, 0x80));
    check(!preempts(0x80, 0x88));
    gic_point(6);
    check_eq(gic_get_point(), 6);
    check(preempts(0x80, 0x40));
    check(!preempts(0xa0, 0x80));
    gic_point(3);
    check_eq(gic_get_point(), 3);
}
