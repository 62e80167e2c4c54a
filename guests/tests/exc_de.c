/* @title  #DE
 * @fact   a division by zero is reported at the instruction, without an error code
 * @source Intel SDM vol. 3A 6.15 (interrupt 0)
 * @env    pv64 pv64low pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @traps  DE:2
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long zero = 0;

    __asm__ volatile(FAULTING("div %1") : : "a"(1UL), "r"(zero), "d"(0UL) : "memory", "cc");
    check_fault(f, X86_EXC_DE, 0);
    check(!f->behind);

    f = fault_arm();
    __asm__ volatile(FAULTING("idivl %1") : : "a"(0), "r"(1), "d"(0x40000000) : "memory", "cc");
    check_fault(f, X86_EXC_DE, 0);
}
