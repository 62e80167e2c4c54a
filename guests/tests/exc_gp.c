/* @title  #GP
 * @fact   the causes of #GP have their error codes: 0, or the selector without its RPL
 * @source Intel SDM vol. 3A 6.13, 6.15 (interrupt 13)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long hole = 0x0000800000000000;

    __asm__ volatile(FAULTING("movb $0, (%0)") : : "r"(hole) : "memory");
    check_fault(f, X86_EXC_GP, 0);

    /* Selectors of empty descriptors. The guest has no GDT of its own. */
    static const unsigned selectors[] = { 0x0010, 0x0013, 0x0ff8, 0xd000 };
    for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++) {
        f = fault_arm();
        __asm__ volatile(FAULTING("mov %0, %%ds") : : "r"(selectors[i]) : "memory");
        check_fault(f, X86_EXC_GP, selectors[i] & ~3u);
        f = fault_arm();
        __asm__ volatile(FAULTING("mov %0, %%gs") : : "r"(selectors[i]) : "memory");
        check_fault(f, X86_EXC_GP, selectors[i] & ~3u);
    }
    /* Beyond the limit of the table. */
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%ds") : : "r"(0xfff8) : "memory");
    check_fault(f, X86_EXC_GP, 0xfff8);

    /* A null selector is fine in ds. */
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%ds") : : "r"(0) : "memory");
    check_no_fault(f);
}
