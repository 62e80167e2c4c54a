/* @title  what the processor says that it is
 * @fact   identification registers are those of a Cortex-A57 without EL2, EL3 for the guest to use; MPIDR has the vcpu's number;
 *         writes to banked and control registers read back
 * @source Arm 100072 (Cortex-A57), 4.3; Arm DDI 0487, D17.2; xen/arch/arm/include/asm/sysregs.h (VMPIDR)
 * @env    arm64
 */
#include <guest.h>

void test_main(void)
{
    uint64_t pfr = sysreg_read(id_aa64pfr0_el1);

    check_eq(sysreg_read(midr_el1) & 0xff0ffff0, 0x410fd070);
    check_eq(sysreg_read(mpidr_el1) & 0xff00ffffff, 0);
    check_eq(sysreg_read(mpidr_el1) >> 31 & 1, 1);
    check_eq(pfr & 0xff, 0x22);                         /* EL0 and EL1 in both states */
    check_eq(pfr >> 16 & 0xff, 0);                      /* floating point and SIMD */
    check_eq(sysreg_read(currentel) >> 2, 1);
    check_eq(sysreg_read(ctr_el0) >> 16 & 0xf, 4);      /* lines of 64 bytes */
    check_eq(sysreg_read(ctr_el0) & 0xf, 4);
    check_eq(sysreg_read(dczid_el0) & 0x1f, 4);
    check(arch_counter_frequency() >= 1000000);

    sysreg_write(tpidr_el0, 0x1122334455667788);
    sysreg_write(tpidr_el1, 0x2233445566778899);
    sysreg_write(tpidrro_el0, 0x33445566778899aa);
    sysreg_write(contextidr_el1, 0x89abcdef);
    sysreg_write(sp_el0, 0x445566778899aabb);
    check_eq(sysreg_read(tpidr_el0), 0x1122334455667788);
    check_eq(sysreg_read(tpidr_el1), 0x2233445566778899);
    check_eq(sysreg_read(tpidrro_el0), 0x33445566778899aa);
    check_eq(sysreg_read(contextidr_el1), 0x89abcdef);
    check_eq(sysreg_read(sp_el0), 0x445566778899aabb);
    sysreg_write(daif, 0x140);
    check_eq(sysreg_read(daif), 0x140);
    sysreg_write(daif, 0x3c0);
    check_eq(sysreg_read(daif), 0x3c0);
    sysreg_write(nzcv, 0x90000000);
    check_eq(sysreg_read(nzcv), 0x90000000);
}
