/* @title  #UD
 * @fact   UD2 and opcodes without a meaning are reported at the instruction; so is an AVX instruction that CPUID hides
 * @source Intel SDM vol. 3A 6.15 (interrupt 6), vol. 1 14.3 (detection of AVX)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("ud2") : : : "memory");
    check_fault(f, X86_EXC_UD, 0);
    check(!f->behind);

    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x06") : : : "memory");        /* push es */
    check_fault(f, X86_EXC_UD, 0);

    if (!(x86_cpuid(1, 0).ecx & 1u << 28)) {
        f = fault_arm();
        __asm__ volatile(FAULTING(".byte 0xc5, 0xf8, 0x57, 0xc0") : : : "memory");  /* vxorps xmm0, xmm0, xmm0 */
        check_fault(f, X86_EXC_UD, 0);
    }
    /* A lock prefix on an instruction that may not have one. */
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf0, 0x90") : : : "memory");
    check_fault(f, X86_EXC_UD, 0);
}
