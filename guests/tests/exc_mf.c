/* @title  #MF
 * @fact   an unmasked x87 exception is reported at the next waiting x87 instruction
 * @source Intel SDM vol. 3A 6.15 (interrupt 16), 2.5 (CR0.NE)
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @traps  MF:1
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();
    uint16_t control = 0x037b;                /* all masked but division by zero */

    __asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp %%st, %%st(1)\n\t" : : "m"(control) : "memory");
    check_no_fault(f);
    __asm__ volatile(FAULTING("fwait") : : : "memory");
    check_fault(f, X86_EXC_MF, 0);
    check(!f->behind);
    __asm__ volatile("fnclex\n\tfninit");
}
