/* @title  FIQ
 * @fact   with FIQEn a GICv2's interrupts come as FIQ, where their own mask lets them
 * @source Arm IHI 0048B 4.4.1 (GICC_CTLR.FIQEn); DDI 0487, D1.13
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>

enum { PPI = 20 };
static unsigned fiqs, number;

static bool on_fiq(struct regs *regs)
{
    (void)regs;
    fiqs++;
    number = gic_take_and_end();
    return true;
}

#ifdef __aarch64__
#define FIQ_ON "msr daifclr, #1"
#define FIQ_OFF "msr daifset, #1"
#else
#define FIQ_ON "cpsie f"
#define FIQ_OFF "cpsid f"
#endif

void test_main(void)
{
    if (gic_is_v3())
        skip("a GICv3's interrupts are in group 1");
    gic_without_events();
    trap_set_handler(TRAP_FIQ, on_fiq);
    __asm__ volatile(FIQ_OFF : : : "memory");
    gic_enable(PPI);
    *gicc(GICC_CTLR) = 1 | GIC_FIQ_ENABLE;
    gic_pend(PPI);
    unsigned long before = arch_interrupts_open();      /* of IRQ */

    arch_relax();
    check_eq(fiqs, 0);
    arch_interrupts_restore(before);
    __asm__ volatile(FIQ_ON "\n\tnop\n\t" FIQ_OFF : : : "memory");
    check_eq(fiqs, 1);
    check_eq(number, PPI);
    *gicc(GICC_CTLR) = 1;
}
