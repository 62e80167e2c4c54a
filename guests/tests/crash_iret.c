/* @title  iret from nowhere
 * @fact   an iret hypercall whose frame cannot be read crashes the domain
 * @source xen/arch/x86/pv/iret.c (do_iret: exit_and_crash)
 * @env    pv64
 * @shutdown crash
 */
#include <guest.h>

void test_main(void)
{
    printf("Test result: SUCCESS\n");
    console_drain();
    __asm__ volatile("mov $0x1000, %%rsp\n\tmov %0, %%eax\n\tsyscall" : : "i"(__HYPERVISOR_iret) : "memory");
    fail("the domain went on");
}
