/* @title  #XM
 * @fact   an unmasked SSE exception is reported at the instruction, and its flag is in MXCSR
 * @source Intel SDM vol. 3A 6.15 (interrupt 19)
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned unmasked = 0x1f80 & ~0x0200u, saved = 0, one = 0x3f800000, zero = 0;

    __asm__ volatile("ldmxcsr %1\n\tmovss %2, %%xmm0\n\tmovss %3, %%xmm1\n\t"
                     FAULTING("divss %%xmm1, %%xmm0")
                     "stmxcsr %0"
                     : "=m"(saved) : "m"(unmasked), "m"(one), "m"(zero) : "memory");
    check_fault(f, X86_EXC_XM, 0);
    check(!f->behind);
    check(saved & 4);
    unmasked = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(unmasked));
}
