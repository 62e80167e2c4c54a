/* @title  BRK
 * @fact   BRK is reported at itself with its number, in the kernel and in user mode
 * @source Arm DDI 0487, D17.2.37 (EC 0x3C)
 * @env    arm64
 */
#include <guest.h>

static unsigned long user(unsigned long x)
{
    __asm__ volatile("brk #0x5a5a");
    return x;
}

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("brk #0x1234") : : : "memory");
    check_fault_iss(f, EC_BRK64, 0x1234);
    check_eq(*(const uint32_t *)f->ip, 0xd4200000 | 0x1234 << 5);
    f = fault_arm();
    user_call(user, 0);
    check_fault_iss(f, EC_BRK64, 0x5a5a);
    check_eq(f->flags & 0xf, 0);
}
