/* @title  segment bases
 * @fact   set_segment_base and emulated MSR writes set the bases of fs and gs; user and kernel have their own gs;
 *         non-canonical bases are refused
 * @source xen/include/public/arch-x86/xen-x86_64.h (set_segment_base), xen/arch/x86/pv/misc-hypercalls.c
 * @env    pv64
 */
#include <guest.h>

static unsigned long words[4] = { 10, 20, 30, 40 };

static unsigned long fs_word(void)
{
    unsigned long w;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(w));
    return w;
}

static unsigned long gs_word(void)
{
    unsigned long w;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(w));
    return w;
}

static unsigned long user_gs(unsigned long unused)
{
    (void)unused;
    return gs_word();
}

static void wrmsr(unsigned msr, unsigned long value)
{
    fault_arm();
    __asm__ volatile(FAULTING("wrmsr") : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static unsigned long rdmsr(unsigned msr)
{
    uint32_t low = 0, high = 0;

    fault_arm();
    __asm__ volatile(FAULTING("rdmsr") : "+a"(low), "+d"(high) : "c"(msr) : "memory");
    return (unsigned long)high << 32 | low;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long bad = 0x0000800000000000;

    check_eq(hcall(set_segment_base, SEGBASE_FS, &words[0]), 0);
    check_eq(fs_word(), 10);
    check_eq(hcall(set_segment_base, SEGBASE_GS_KERNEL, &words[1]), 0);
    check_eq(gs_word(), 20);
    check_eq(hcall(set_segment_base, SEGBASE_GS_USER, &words[2]), 0);
    check_eq(gs_word(), 20);
    check_eq(user_call(user_gs, 0), 30);
    check_eq(gs_word(), 20);

    check_eq(hcall(set_segment_base, SEGBASE_FS, bad), -XEN_EINVAL);
    check_eq(hcall(set_segment_base, SEGBASE_GS_KERNEL, bad), -XEN_EINVAL);
    check_eq(hcall(set_segment_base, SEGBASE_GS_USER, bad), -XEN_EINVAL);
    check_eq(hcall(set_segment_base, 4, 0), -XEN_EINVAL);
    check_eq(fs_word(), 10);

    wrmsr(MSR_FS_BASE, (unsigned long)&words[3]);
    check_no_fault(f);
    check_eq(fs_word(), 40);
    check_eq(rdmsr(MSR_FS_BASE), (unsigned long)&words[3]);
    wrmsr(MSR_GS_BASE, (unsigned long)&words[0]);
    check_no_fault(f);
    check_eq(gs_word(), 10);
    wrmsr(MSR_SHADOW_GS_BASE, (unsigned long)&words[3]);
    check_no_fault(f);
    check_eq(rdmsr(MSR_SHADOW_GS_BASE), (unsigned long)&words[3]);
    check_eq(user_call(user_gs, 0), 40);
    wrmsr(MSR_FS_BASE, bad);
    check_fault(f, X86_EXC_GP, 0);
    check_eq(fs_word(), 40);

    /* swapgs is not for the guest. */
    fault_arm();
    __asm__ volatile(FAULTING("swapgs") : : : "memory");
    check_fault(f, X86_EXC_GP, 0);
    check_eq(hcall(set_segment_base, SEGBASE_GS_USER_SEL, 0), 0);
}
