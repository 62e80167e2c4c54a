/* @title  address translation instructions
 * @fact   AT leaves address and attributes, or the fault, in PAR_EL1, for reads and writes of the kernel and of user mode
 * @source Arm DDI 0487, C5.5.1, D17.2.106 (PAR_EL1)
 * @env    arm64
 */
#include <guest.h>

#define TRANSLATE(op, va) ({ \
    __asm__ volatile("at " #op ", %0\n\tisb" : : "r"(va) : "memory"); \
    sysreg_read(par_el1); })

void test_main(void)
{
    char *page = page_alloc(), *target = page_alloc();
    uint64_t whole = *pt_entry(page, 3), par;

    /* Somewhere else than at its own address. */
    pt_set(page, (whole & ~PTE_FRAME) | (uintptr_t)target);
    par = TRANSLATE(s1e1r, page + 0x123);
    check_eq(par & 1, 0);
    check_eq(par & PTE_FRAME, (uintptr_t)target);
    check_eq(par >> 56, 0xff);                          /* write-back */
    check_eq(TRANSLATE(s1e0w, page + 0x123) & 1, 0);

    pt_set(page, whole | PTE_READONLY);
    check_eq(TRANSLATE(s1e1r, page) & 1, 0);
    par = TRANSLATE(s1e1w, page);
    check_eq(par & 1, 1);
    check_eq(par >> 1 & 0x3f, FSC_PERMISSION | 3);
    pt_set(page, whole & ~(uint64_t)PTE_ALL);
    check_eq(TRANSLATE(s1e1w, page) & 1, 0);
    par = TRANSLATE(s1e0r, page);
    check_eq(par & 0x7f, 1 | (FSC_PERMISSION | 3) << 1);
    pt_set(page, 0);
    par = TRANSLATE(s1e1r, page);
    check_eq(par & 0x7f, 1 | (FSC_TRANSLATION | 3) << 1);
    par = TRANSLATE(s1e1r, BAD_POINTER);
    check_eq(par & 1, 1);
    check_eq(par >> 1 & 0x3c, FSC_TRANSLATION);
    pt_set(page, whole);
    par = TRANSLATE(s1e1r, 0x03001000UL);               /* device memory */
    check_eq(par & 1, 0);
}
