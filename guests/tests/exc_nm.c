/* @title  #NM
 * @fact   fpu_taskswitch(1) makes the next FPU or SSE instruction fault; delivery clears CR0.TS as the guest sees it
 * @source xen/include/public/xen.h (fpu_taskswitch), xen/arch/x86/traps.c (do_device_not_available); SDM 3A 6.15
 * @env    pv64
 * @traps  NM:2
 */
#include <guest.h>

static unsigned long cr0(void)
{
    unsigned long value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

void test_main(void)
{
    struct fault *f = fault_arm();

    check(!(cr0() & X86_CR0_TS));
    __asm__ volatile(FAULTING("fninit") : : : "memory");
    check_no_fault(f);

    check_eq(hcall(fpu_taskswitch, 1), 0);
    check(cr0() & X86_CR0_TS);
    __asm__ volatile(FAULTING("fnop") : : : "memory");
    check_fault(f, X86_EXC_NM, 0);
    check(!f->behind);
    check(!(cr0() & X86_CR0_TS));

    f = fault_arm();
    __asm__ volatile(FAULTING("fnop") : : : "memory");
    check_no_fault(f);

    check_eq(hcall(fpu_taskswitch, 1), 0);
    __asm__ volatile(FAULTING("xorps %%xmm0, %%xmm0") : : : "memory");
    check_fault(f, X86_EXC_NM, 0);

    check_eq(hcall(fpu_taskswitch, 1), 0);
    check_eq(hcall(fpu_taskswitch, 0), 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("fnop") : : : "memory");
    check_no_fault(f);
}
