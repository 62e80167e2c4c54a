/* @title  LOCK before a bit test
 * @fact   LOCK before BT, and before BTS, BTR and BTC of a register, is #UD
 * @source AMD APM volume 3, 1.2.5 (LOCK)
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @traps  UD:4
 */
#include <guest.h>

void test_main(void)
{
    unsigned long word[2] = { 0, 0 };
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING(".byte 0xf0, 0x66, 0x0f, 0xa3, 0xcd") : : : "memory", "cc");      /* lock bt %cx, %bp */
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf0, 0x0f, 0xab, 0xc8") : : : "memory", "cc");            /* lock bts %ecx, %eax */
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf0, 0x0f, 0xba, 0xe0, 1") : : : "memory", "cc");         /* lock bt $1, %eax */
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf0, 0x0f, 0xba, 0xf0, 1") : : : "memory", "cc");         /* lock btr $1, %eax */
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile("lock btsl $1, %0" : "+m"(word[0]) : : "memory", "cc");
    check_no_fault(f);
    check_eq(word[0], 2);
}
