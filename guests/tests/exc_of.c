/* @title  #OF
 * @fact   INT 4 is reported behind the instruction; INTO traps while OF is set, and does not exist in 64-bit mode
 * @source Intel SDM vol. 3A 6.15 (interrupt 4), vol. 2A INTO
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("int $4") : : : "memory");
    check_fault(f, X86_EXC_OF, 0);
    check(f->behind);

    f = fault_arm();
#ifdef __x86_64__
    __asm__ volatile(FAULTING(".byte 0xce") : : : "memory");
    check_fault(f, X86_EXC_UD, 0);
    check(!f->behind);
#else
    __asm__ volatile("xorl %%eax, %%eax\n\t" FAULTING("into") : : : "eax", "memory", "cc");
    check_no_fault(f);
    __asm__ volatile("movl $0x7fffffff, %%eax\n\tincl %%eax\n\t" FAULTING("into") : : : "eax", "memory", "cc");
    check_fault(f, X86_EXC_OF, 0);
    check(f->behind);
#endif
}
