/* @title  three faults, one within the other
 * @fact   a fault that cannot be delivered, nor the double fault that it becomes, ends the domain as the toolstack says
 * @source Intel SDM volume 3, 6.15 (#DF); hvm_triple_fault() in xen/arch/x86/hvm/hvm.c
 * @env    pvh64 hvm64 hvm32pae pvh32
 * @shutdown crash
 */
#include <guest.h>

void test_main(void)
{
    static const struct table_pointer none = { 0, 0 };

    printf("Test result: SUCCESS\n");
    console_drain();
    __asm__ volatile("lidt %0\n\tud2" : : "m"(none));
    fail("the domain went on without handlers");
}
