/* @title  user mode without a page table
 * @fact   entering guest user mode without a user page table crashes the domain
 * @source xen/arch/x86/pv/iret.c, xen/arch/x86/x86_64/mm.c (toggle_guest_mode)
 * @env    pv64
 * @shutdown crash
 */
#include <guest.h>

void test_main(void)
{
    printf("Test result: SUCCESS\n");
    console_drain();
    user_enter((unsigned long)user_return, (unsigned long)page_alloc() + 4096 - 16, 0, X86_EFLAGS_IF);
}
