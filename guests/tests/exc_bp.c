/* @title  #BP
 * @fact   INT3, in both encodings, is reported behind the instruction and without an error code
 * @source Intel SDM vol. 3A 6.15 (interrupt 3)
 * @env    pv64 pv64low pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @traps  BP:2
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("int3") : : : "memory");
    check_fault(f, X86_EXC_BP, 0);
    check(f->behind);

    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xcd, 0x03") : : : "memory");
    check_fault(f, X86_EXC_BP, 0);
    check(f->behind);
}
