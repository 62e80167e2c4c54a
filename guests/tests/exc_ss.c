/* @title  #SS
 * @fact   a non-canonical address through rsp or rbp is #SS(0), through another register #GP(0)
 * @source Intel SDM vol. 3A 6.15 (interrupts 12 and 13), vol. 1 3.3.7.1
 * @env    pv64 pvh64 hvm64
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long bad = 0x8000000000000000;

    __asm__ volatile("push %%rbp\n\tmov %0, %%rbp\n\t" FAULTING("mov (%%rbp), %%eax") "pop %%rbp"
                     : : "r"(bad) : "rax", "memory");
    check_fault(f, X86_EXC_SS, 0);

    f = fault_arm();
    __asm__ volatile(FAULTING("mov (%0), %%eax") : : "r"(bad) : "rax", "memory");
    check_fault(f, X86_EXC_GP, 0);
}
