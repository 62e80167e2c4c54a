/* @title  the interrupt controller's registers
 * @fact   the distributor says how many interrupts and processors there are, Xen's groups cannot be chosen, SGIs are enabled and
 *         edge-triggered, reserved registers read as zero, an interrupt that is not there keeps nothing
 * @source Arm IHI 0048B 4.3; IHI 0069 12.9, 12.11; Xen 4.17, xen/arch/arm/vgic-v2.c and vgic-v3.c
 * @env    arm64 arm32
 * @vcpus  2
 */
#include <guest.h>
#include <gic_cpu.h>

enum { TYPER_LINES = 0x1f, TYPER_CPUS_SHIFT = 5, SGI_CONFIGURATION = 0xaaaaaaaa, ARE = 0x10, LAST_PRIORITY = 0x7f8 };
enum { PIDR2_V2 = 0xfe8, PIDR2_V3 = 0xffe8, VERSION_SHIFT = 4 };

static void keeps_nothing(volatile uint32_t *r)
{
    *r = 0xffffffff;
    check_eq(*r, 0);
}

void test_main(void)
{
    uint32_t typer = *gicd(GICD_TYPER), there = 32 * ((typer & TYPER_LINES) + 1);

    printf("GICv%u, %u interrupts\n", gic_version(), there);
    check_eq(typer >> TYPER_CPUS_SHIFT & 7, 1);
    check(there >= 32 && there <= 1024);
    check_eq(*gicd(gic_is_v3() ? PIDR2_V3 : PIDR2_V2) >> VERSION_SHIFT & 0xf, gic_version());
    check_eq(*gicd(GICD_IIDR) & 0xfff, gic_is_v3() ? 0x34c : 0x43b);
    check_eq(*gicd(GICD_CTLR), gic_is_v3() ? ARE | 2 : 1);
    *gicd(GICD_CTLR) = 0xffffffff;
    check_eq(*gicd(GICD_CTLR), gic_is_v3() ? ARE | 2 : 1);

    check_eq(*gic_bits(GICD_ISENABLER, 0) & 0xffff, 0xffff);
    check_eq(gic_bits(GICD_ICFGR, 0)[0], SGI_CONFIGURATION);
    gic_bits(GICD_ICFGR, 0)[0] = 0;
    check_eq(gic_bits(GICD_ICFGR, 0)[0], SGI_CONFIGURATION);
    keeps_nothing(gic_bits(GICD_IGROUPR, 0));
    keeps_nothing(gicd(0x20));
    if (there < 1020) {
        keeps_nothing(gicd(GICD_ISENABLER + there / 8));
        keeps_nothing(gicd(GICD_ISPENDR + there / 8));
        keeps_nothing(gicd(LAST_PRIORITY));
    }

    volatile uint32_t *priorities = gic_bits(GICD_IPRIORITYR, 0);
    priorities[5] = 0x44332211;
    ((volatile uint8_t *)priorities)[21] = 0xff;
    check_eq(priorities[5], 0x4433ff11);
    check_eq(((volatile uint8_t *)priorities)[23], 0x44);

    gic_mask(0xff);
    check_eq(gic_get_mask(), 0xf8);                     /* five bits */
}
