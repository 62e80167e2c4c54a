/* @title  where a shared interrupt goes
 * @fact   it goes to one processor: of a GICv2's several targets the first, by a GICv3's affinity the one that has it; a target
 *         that is not there is ignored, and what waits goes along with the interrupt
 * @source Arm IHI 0048B 1.4.3, 4.3.12; IHI 0069 12.9 (GICD_IROUTER); Xen 4.17, xen/arch/arm/vgic-v2.c and vgic-v3.c
 * @env    arm64 arm32
 * @vcpus  2
 */
#include <guest.h>
#include <gic_cpu.h>

enum { SPI = 40, TURNS = 100000 };
static unsigned step, seen;

static volatile uint8_t *target_byte(void) { return (volatile uint8_t *)((uintptr_t)gicd(GICD_ITARGETSR) + SPI); }

/* To a processor; more of a GICv2 by its mask. */
static void send_to(unsigned processor, uint8_t mask)
{
    if (gic_is_v3()) {
        gicd(GICD_IROUTER + 8 * SPI)[1] = 0;
        gicd(GICD_IROUTER + 8 * SPI)[0] = processor;
    } else {
        *target_byte() = mask;
    }
}
static unsigned goes_to(void)
{
    return gic_is_v3() ? gicd(GICD_IROUTER + 8 * SPI)[0] : *target_byte() == 1 ? 0 : *target_byte() == 2 ? 1 : 99;
}

static void other(void *arg)
{
    (void)arg;
    gic_without_events();
    while (gic_highest() != SPI)
        arch_relax();
    seen = gic_take_and_end();
    __atomic_fetch_add(&step, 1, __ATOMIC_SEQ_CST);
}

void test_main(void)
{
    if (!(*gicd(GICD_TYPER) & 0x1f))
        skip("the domain has no shared interrupts");
    gic_without_events();
    gic_enable(SPI);
    check_eq(goes_to(), 0);
    gic_write(GICD_ISPENDR, SPI);
    check_eq(gic_take_and_end(), SPI);

    require_eq(vcpu_start(1, other, NULL), 0);
    gic_write(GICD_ISPENDR, SPI);
    check_eq(gic_highest(), SPI);
    send_to(1, 2);
    check_eq(goes_to(), 1);
    check_eq(gic_highest(), GIC_SPURIOUS);
    require(wait_while(&step, 0, TURNS));
    check_eq(seen, SPI);

    send_to(7, 0x80);                                   /* nobody */
    check_eq(goes_to(), 1);
    send_to(0, 3);
    check_eq(goes_to(), 0);
}
