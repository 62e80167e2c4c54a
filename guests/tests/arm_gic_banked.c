/* @title  each processor's own interrupts
 * @fact   enable, pending and priority of SGIs and PPIs are each processor's own; a GICv2's ITARGETSR says which one reads it
 * @source Arm IHI 0048B 2.2.1, 4.3.12; IHI 0069 1.2.1, 12.11
 * @env    arm64 arm32
 * @vcpus  2
 */
#include <guest.h>
#include <gic_cpu.h>

enum { PPI = 20, TURNS = 100000 };
static unsigned done;
static bool clean;

static void other(void *arg)
{
    (void)arg;
    gic_without_events();
    clean = !gic_has(GICD_ISENABLER, PPI) && !gic_has(GICD_ISPENDR, PPI) && gic_acknowledge() == GIC_SPURIOUS &&
            ((volatile uint8_t *)gic_bits(GICD_IPRIORITYR, 0))[PPI] == 0;
    if (!gic_is_v3())
        clean = clean && *gicd(GICD_ITARGETSR) == 0x02020202;
    gic_enable(PPI);
    gic_pend(PPI);
    clean = clean && gic_take_and_end() == PPI;
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

void test_main(void)
{
    gic_without_events();
    gic_enable(PPI);
    gic_pend(PPI);
    require_eq(vcpu_start(1, other, NULL), 0);
    require(wait_while(&done, 0, TURNS));
    check(clean);
    check(gic_has(GICD_ISPENDR, PPI));
    check_eq(gic_take_and_end(), PPI);
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
    if (!gic_is_v3())
        check_eq(*gicd(GICD_ITARGETSR), 0x01010101);
}
