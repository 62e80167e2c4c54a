/* @title  data breakpoints
 * @fact   an armed data breakpoint traps once behind the instruction that made the access, and DR6 says which
 * @source Intel SDM vol. 3B 17.2.4, 17.3.1.2
 * @env    pv64
 */
#include <guest.h>

static volatile struct { unsigned long before, watched; } area;
#define watched area.watched

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned char *bytes = (unsigned char *)&watched;
    unsigned long value;

    check_eq(hcall(set_debugreg, 6, 0), 0);
    check_eq(hcall(set_debugreg, 1, &watched), 0);
    check_eq(hcall(set_debugreg, 7, 1UL << 2 | 1UL << 20 | 2UL << 22), 0);   /* L1, write, 8 bytes */
    fault_arm();
    __asm__ volatile(FAULTING("movq $5, %0") : "=m"(watched) : : "memory");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check_eq(watched, 5);
    check_eq(hcall(get_debugreg, 6) & 0xf, 2);

    /* A read does not meet it; a read-modify-write that is not aligned meets it once, and is done once. */
    check_eq(hcall(set_debugreg, 6, 0), 0);
    fault_arm();
    __asm__ volatile(FAULTING("movq %1, %0") : "=r"(value) : "m"(watched) : "memory");
    check_no_fault(f);
    check_eq(value, 5);
    fault_arm();
    __asm__ volatile(FAULTING("addl $0x1000000, -3(%0)") : : "r"(bytes) : "memory", "cc");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check_eq(watched, 6);

    /* Two bytes, either way. The neighbours are not watched. */
    check_eq(hcall(set_debugreg, 1, bytes + 2), 0);
    check_eq(hcall(set_debugreg, 7, 1UL << 2 | 3UL << 20 | 1UL << 22), 0);   /* L1, read or write, 2 bytes */
    fault_arm();
    __asm__ volatile(FAULTING("movw %%ax, (%0)") : : "r"(bytes) : "memory");
    check_no_fault(f);
    __asm__ volatile(FAULTING("movb 4(%0), %%al") : : "r"(bytes) : "rax", "memory");
    check_no_fault(f);
    __asm__ volatile(FAULTING("movb 3(%0), %%al") : : "r"(bytes) : "rax", "memory");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);

    check_eq(hcall(set_debugreg, 7, 0), 0);
    fault_arm();
    watched = 7;
    check_no_fault(f);
}
