/* @title  emulated privileged instructions
 * @fact   (benchmark) n times a read of cr0: #GP in ring 3, decoded and carried out by the hypervisor
 * @source xen/arch/x86/pv/emul-priv-op.c
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    unsigned long value;

    for (uint64_t n = guest_option("n", 1000); n > 0; n--)
        __asm__ volatile("mov %%cr0, %0" : "=r"(value));
}
