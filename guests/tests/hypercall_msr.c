/* @title  hypercall page by MSR
 * @fact   a write to the MSR that CPUID names fills a page of the guest's with hypercalls; anything but a writable page
 *         of its own is #GP
 * @source xen/include/public/arch-x86/cpuid.h (leaf 3), xen/arch/x86/traps.c (guest_wrmsr_xen)
 * @env    pv64
 */
#include <guest.h>

static void write(unsigned msr, unsigned long value)
{
    fault_arm();
    __asm__ volatile(FAULTING("wrmsr") : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static long call(const char *page, unsigned nr, unsigned long a, unsigned long b)
{
    long result;
    const char *entry = page + nr * 32;

    __asm__ volatile("call *%3" : "=a"(result), "+D"(a), "+S"(b) : "r"(entry) : "memory", "cc");
    return result;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned msr = x86_cpuid(0x40000002, 0).ebx;
    char *page = page_alloc();
    unsigned long rcx = 0x123456789abcdef0, r11 = 0xfedcba987654321;

    check_eq(x86_cpuid(0x40000002, 0).eax, 1);
    write(msr, virt_to_mfn(page) << PAGE_SHIFT);
    check_no_fault(f);
    check_eq(call(page, __HYPERVISOR_xen_version, 0, 0) >> 16, 4);
    check_eq(call(page, 63, 0, 0), -XEN_ENOSYS);
    /* A call of the page keeps rcx and r11, which SYSCALL itself does not. */
    register unsigned long keep11 __asm__("r11") = r11;
    unsigned long ax, di = 0, si = 0;
    __asm__ volatile("call *%5" : "=a"(ax), "+c"(rcx), "+r"(keep11), "+D"(di), "+S"(si)
                     : "r"(page + __HYPERVISOR_xen_version * 32) : "memory", "cc");
    check_eq(rcx, 0x123456789abcdef0);
    check_eq(keep11, r11);

    write(msr, virt_to_mfn(page) << PAGE_SHIFT | 1);
    check_fault(f, X86_EXC_GP, 0);
    write(msr, virt_to_mfn(pt_root()) << PAGE_SHIFT);
    check_fault(f, X86_EXC_GP, 0);
    write(msr, 0);
    check_fault(f, X86_EXC_GP, 0);
    write(msr, ~0UL << PAGE_SHIFT);
    check_fault(f, X86_EXC_GP, 0);
}
