/* @title  #AC
 * @fact   with EFLAGS.AC a misaligned access of the guest, which runs at CPL 3, is #AC(0)
 * @source Intel SDM vol. 3A 6.15 (interrupt 17); CR0.AM is set under Xen
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();
    char buffer[16] __attribute__((aligned(16))) = { 0 };

    x86_set_flags(x86_flags() | X86_EFLAGS_AC);
    __asm__ volatile(FAULTING("movl (%0), %%eax") : : "r"(buffer + 1) : "rax", "memory");
    x86_set_flags(x86_flags() & ~(unsigned long)X86_EFLAGS_AC);
    check_fault(f, X86_EXC_AC, 0);
}
