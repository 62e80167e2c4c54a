/* @title  hypercalls by page and by instruction
 * @fact   the hypercall page and an inline SYSCALL give the same results; other registers survive, rcx and r11 of the
 *         page's caller too
 * @source xen/include/public/arch-x86/xen-x86_64.h (hypercall interface), elfnote.h (HYPERCALL_PAGE)
 * @env    pv64 pvh64 hvm64
 */
#include <guest.h>

void test_main(void)
{
    check_eq(hcall(xen_version, 0, 0), hcall_inline(xen_version, 0, 0));
    check_eq(hcall(xen_version, 0, 0) >> 16, 4);

    register unsigned long r8 __asm__("r8") = 8, r9 __asm__("r9") = 9, r10 __asm__("r10") = 10;
    register unsigned long r12 __asm__("r12") = 12, r13 __asm__("r13") = 13, r14 __asm__("r14") = 14;
    register unsigned long r15 __asm__("r15") = 15;
    unsigned long ax = 0, bx = 3, cx = 1, dx = 2, di = 0, si = 0;

    __asm__ volatile("mov $11, %%r11\n\tcall hypercall_page + 32 * 17\n\tcmp $11, %%r11\n\tjne 1f\n\tadd $1, %%rcx\n1:"
                     : "+a"(ax), "+b"(bx), "+c"(cx), "+d"(dx), "+D"(di), "+S"(si), "+r"(r8), "+r"(r9), "+r"(r10),
                       "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     : : "r11", "memory", "cc");
    check_eq(ax >> 16, 4);
    check_eq(bx, 3);
    check_eq(cx, 2);
    check_eq(dx, 2);
    check(r8 == 8 && r9 == 9 && r10 == 10 && r12 == 12 && r13 == 13 && r14 == 14 && r15 == 15);

    /* Numbers that mean nothing. */
    static const unsigned long unknown[] = { 11, 43, 47, 56, 63, 64, 1000, 0x7fffffff, ~0UL, 1UL << 31 };
    for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++)
        check_eq(hcall_number(unknown[i], 1, 2, 3), -XEN_ENOSYS);
}
