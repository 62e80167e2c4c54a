/* @title  debug registers
 * @fact   debug registers keep what set_debugreg and mov give them, addresses of the hypervisor are refused, and armed
 *         instruction breakpoints raise #DB with DR6 saying which
 * @source xen/include/public/xen.h (set_debugreg), xen/arch/x86/traps.c; Intel SDM vol. 3B 17.2
 * @env    pv64
 */
#include <guest.h>

static void target(void *unused)
{
    (void)unused;
    __asm__ volatile("nop");
}

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long value;

    for (unsigned i = 0; i < 4; i++) {
        check_eq(hcall(set_debugreg, i, 0x1000 + i), 0);
        check_eq(hcall(get_debugreg, i), 0x1000 + i);
    }
    __asm__ volatile("mov %1, %%dr2\n\tmov %%dr2, %0" : "=r"(value) : "r"(0x4321UL));
    check_eq(value, 0x4321);
    check_eq(hcall(get_debugreg, 2), 0x4321);

    check_eq(hcall(set_debugreg, 0, HYPERVISOR_VIRT_START), -XEN_EPERM);
    check(hcall(set_debugreg, 9, 0) < 0);
    check(hcall(get_debugreg, 9) < 0);
    check_eq(hcall(set_debugreg, 7, X86_DR7_GD | 0x400), -XEN_EPERM);

    /* An instruction breakpoint: a fault, before the instruction. */
    check_eq(hcall(set_debugreg, 6, 0), 0);
    check_eq(hcall(set_debugreg, 0, target), 0);
    check_eq(hcall(set_debugreg, 7, 1), 0);
    fault_arm();
    check(!fault_probe(target, NULL));
    check_fault(f, X86_EXC_DB, 0);
    check_eq(f->ip, (unsigned long)target);
    check_eq(hcall(get_debugreg, 6) & 0xf, 1);

    check_eq(hcall(set_debugreg, 7, 0), 0);
    fault_arm();
    check(fault_probe(target, NULL));
    check_no_fault(f);
}
