/* @title  alignment on ARM
 * @fact   ordinary accesses may be unaligned, unless SCTLR says that none may; exclusive ones may not
 * @source Arm DDI 0487, B2.8, D17.2.118 (SCTLR_EL1.A)
 * @env    arm64
 */
#include <guest.h>

static char buffer[64] __attribute__((aligned(16)));

#define KERNEL(insn) \
    __asm__ volatile(FAULTING(insn) : "=&r"(value), "=&r"(status) : "r"(at) : "memory")

void test_main(void)
{
    uint64_t sctlr = sysreg_read(sctlr_el1), value, status;
    const char *at = buffer + 3;
    struct fault *f = fault_arm();

    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)i;
    KERNEL("ldr %0, [%2]");
    check_no_fault(f);
    check_eq(value, 0x0a09080706050403);
    at = buffer + 13;                                   /* over a boundary of 16 bytes */
    KERNEL("ldr %0, [%2]");
    check_no_fault(f);
    check_eq(value, 0x14131211100f0e0d);

    at = buffer + 4;
    KERNEL("ldxr %0, [%2]");
    check_fault(f, EC_DABT, FSC_ALIGNMENT);
    check_eq(f->far, at);

    /* SCTLR.A: everything. */
    sysreg_write(sctlr_el1, sctlr | 2);
    arch_isb();
    at = buffer + 6;
    f = fault_arm();
    KERNEL("ldr %w0, [%2]");
    check_fault(f, EC_DABT, FSC_ALIGNMENT);
    check_eq(f->far, at);
    f = fault_arm();
    KERNEL("ldrh %w0, [%2]");
    check_no_fault(f);
    sysreg_write(sctlr_el1, sctlr);
    arch_isb();
}
