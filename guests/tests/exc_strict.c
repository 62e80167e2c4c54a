/* @title  strict operand checks
 * @fact   reserved bits of MXCSR, misaligned SSE operands, LOCK where it may not stand, and AVX that CPUID hides raise
 *         their exceptions
 * @source Intel SDM vol. 2 (LDMXCSR, MOVAPS, LOCK), vol. 1 14.3 (detection of AVX)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    static char buffer[512] __attribute__((aligned(16)));
    unsigned mxcsr = 0xffff0000;
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("ldmxcsr %0") : : "m"(mxcsr) : "memory");
    check_fault(f, X86_EXC_GP, 0);
    __asm__ volatile("fxsave (%0)" : : "r"(buffer) : "memory");
    buffer[27] = 1;
    f = fault_arm();
    __asm__ volatile(FAULTING("fxrstor (%0)") : : "r"(buffer) : "memory");
    check_fault(f, X86_EXC_GP, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf0, 0x90") : : : "memory");
    check_fault(f, X86_EXC_UD, 0);
    if (!(x86_cpuid(1, 0).ecx & 1u << 28)) {
        f = fault_arm();
        __asm__ volatile(FAULTING(".byte 0xc5, 0xf8, 0x57, 0xc0") : : : "memory");  /* vxorps xmm0, xmm0, xmm0 */
        check_fault(f, X86_EXC_UD, 0);
        check(!f->behind);
        f = fault_arm();
        __asm__ volatile("nop\n\tnop\n\t" FAULTING(".byte 0x64, 0xc4, 0xe2, 0x79, 0x00, 0x00") : : : "memory"); /* vpshufb */
        check_fault(f, X86_EXC_UD, 0);
        check(!f->behind);
    }
    if (x86_cpuid(7, 0).ebx & 1u << 3) {                         /* BMI1: a VEX instruction that is not hidden */
        unsigned long result = 0;

        f = fault_arm();
        __asm__ volatile(FAULTING("andn %1, %2, %0") : "=r"(result) : "r"(0xf0f0UL), "r"(0xff00UL) : "cc");
        check_no_fault(f);
        check_eq(result, 0xf0);
    }
    f = fault_arm();
    __asm__ volatile(FAULTING("movaps (%0), %%xmm0") : : "r"(buffer + 1) : "memory");
    if (f->count == 0)
        skip("the processor does not check the alignment of SSE operands");
    check_fault(f, X86_EXC_GP, 0);
}
