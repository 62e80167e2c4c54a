/* @title  no way to deliver
 * @fact   an exception without a handler, or with a stack that cannot take its frame, crashes the domain
 * @source xen/arch/x86/x86_64/entry.S (create_bounce_frame: domain_crash), xen/arch/x86/traps.c
 * @env    pv64
 * @shutdown crash
 */
#include <guest.h>

void test_main(void)
{
    printf("Test result: SUCCESS\n");
    console_drain();
    __asm__ volatile("mov $0x1000, %%rsp\n\tud2" : : : "memory");
    fail("the domain went on without a stack");
}
