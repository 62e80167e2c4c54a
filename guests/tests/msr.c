/* @title  MSRs
 * @fact   a guest kernel reads the MSRs that make sense to it, writes few, and everything else is #GP(0)
 * @source xen/arch/x86/msr.c, xen/arch/x86/pv/emul-priv-op.c (read_msr, write_msr)
 * @env    pv64
 */
#include <guest.h>

static unsigned long rdmsr(unsigned msr)
{
    uint32_t low = 0, high = 0;

    fault_arm();
    __asm__ volatile(FAULTING("rdmsr") : "+a"(low), "+d"(high) : "c"(msr) : "memory");
    return (unsigned long)high << 32 | low;
}

static void wrmsr(unsigned msr, unsigned long value)
{
    fault_arm();
    __asm__ volatile(FAULTING("wrmsr") : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static unsigned long user_rdmsr(unsigned long msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"((uint32_t)msr));
    return low;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long efer = rdmsr(MSR_EFER);

    check_no_fault(f);
    check((efer & (EFER_SCE | EFER_NXE)) == (EFER_SCE | EFER_NXE));

    static const unsigned unknown[] = { 0xdeadbeef, 0xc0010199, 0x3fffffff, 0x7ff };
    for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++) {
        rdmsr(unknown[i]);
        check_fault(f, X86_EXC_GP, 0);
        wrmsr(unknown[i], 0);
        check_fault(f, X86_EXC_GP, 0);
    }
    fault_arm();
    user_call(user_rdmsr, MSR_EFER);
    check_fault(f, X86_EXC_GP, 0);
    check_eq(f->cs & 3, 3);
}
