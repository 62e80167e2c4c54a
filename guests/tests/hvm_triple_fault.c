/* @title  triple fault
 * @fact   an exception that cannot be delivered, and a double fault that cannot either, end the domain as a reset does
 * @source Intel SDM volume 3, 6.15 (#DF); hvm_triple_fault() and hvm_domain_initialise() in xen/arch/x86/hvm/hvm.c
 * @env    pvh64
 * @shutdown reboot
 */
#include <guest.h>

void test_main(void)
{
    const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };

    printf("Test result: SUCCESS\n");
    console_drain();
    __asm__ volatile("lidt %0\n\tud2" : : "m"(none) : "memory");
    fail("the domain went on without an interrupt descriptor table");
}
