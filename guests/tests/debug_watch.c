/* @title  data breakpoints
 * @fact   an armed data breakpoint traps behind the instruction that wrote, and DR6 says which
 * @source Intel SDM vol. 3B 17.2.4, 17.3.1.2
 * @env    pv64
 */
#include <guest.h>

static volatile unsigned long watched;

void test_main(void)
{
    struct fault *f = fault_arm();

    check_eq(hcall(set_debugreg, 6, 0), 0);
    check_eq(hcall(set_debugreg, 1, &watched), 0);
    check_eq(hcall(set_debugreg, 7, 1UL << 2 | 1UL << 20 | 2UL << 22), 0);   /* L1, write, 8 bytes */
    fault_arm();
    __asm__ volatile(FAULTING("movq $5, %0") : "=m"(watched) : : "memory");
    check_eq(watched, 5);
    check_eq(hcall(set_debugreg, 7, 0), 0);
    if (f->count == 0)
        skip("the processor has no data breakpoints");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check_eq(hcall(get_debugreg, 6) & 0xf, 2);
}
