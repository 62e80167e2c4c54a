/* @title  an interrupt within an interrupt
 * @fact   a handler that lets interrupts through again is interrupted by one of a higher priority, and by no other
 * @source Arm IHI 0048B 3.3.2; IHI 0069 4.8
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>

enum { LOW = 20, SAME = 21, HIGH = 22 };
static unsigned depth, deepest, order[3], taken;

static void handler(unsigned interrupt)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (interrupt == LOW) {
        gic_pend(SAME);
        gic_pend(HIGH);
        unsigned long before = arch_interrupts_open();

        for (unsigned i = 0; i < 100; i++)
            arch_relax();
        arch_interrupts_restore(before);
        check_eq(taken, 1);                             /* HIGH, not SAME */
        check_eq(gic_running(), 0xa0);
    }
    order[taken++] = interrupt;
    depth--;
}

void test_main(void)
{
    for (unsigned i = LOW; i <= HIGH; i++) {
        interrupt_watch(i, handler);
        gic_enable(i);
    }
    gic_priority(HIGH, 0x60);
    gic_pend(LOW);
    check(interrupt_wait(SAME, 1, 100000));
    require_eq(taken, 3);
    check_eq(order[0], HIGH);
    check_eq(order[1], LOW);
    check_eq(order[2], SAME);
    check_eq(deepest, 2);
}
