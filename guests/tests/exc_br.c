/* @title  #BR
 * @fact   BOUND does not exist in 64-bit mode, and INT 5 may not use the gate of #BR
 * @source Intel SDM vol. 2A BOUND, vol. 3A 6.12.1.1 (protection of gates), 6.13 (error code)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING(".byte 0x62, 0x00") : : "a"(0UL) : "memory");
    check_fault(f, X86_EXC_UD, 0);

    f = fault_arm();
    __asm__ volatile(FAULTING("int $5") : : : "memory");
    check_fault(f, X86_EXC_GP, EC_GATE(X86_EXC_BR));
    check(!f->behind);
}
