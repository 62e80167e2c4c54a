/* @title  #UD
 * @fact   UD2 and opcodes without a meaning are reported at the instruction
 * @source Intel SDM vol. 3A 6.15 (interrupt 6)
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("ud2") : : : "memory");
    check_fault(f, X86_EXC_UD, 0);
    check(!f->behind);

#ifdef __x86_64__
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x06") : : : "memory");        /* push es */
    check_fault(f, X86_EXC_UD, 0);
#endif
}
