/* @title  update_va_mapping
 * @fact   update_va_mapping changes the entry behind a linear address, with the checks of mmu_update; the change is seen
 *         at once
 * @source xen/include/public/xen.h (update_va_mapping, UVMF_*)
 * @env    pv64
 */
#include <guest.h>

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)

static char window[4096] __attribute__((aligned(4096)));

void test_main(void)
{
    char *one = page_alloc(), *two = page_alloc();
    uint64_t own = virt_to_mfn(window);

    memset(one, '1', 4096);
    memset(two, '2', 4096);
    for (unsigned i = 0; i < 100; i++) {
        char *page = i & 1 ? one : two;

        require_eq(hcall(update_va_mapping, window, pte_make(virt_to_mfn(page), RW), UVMF_INVLPG), 0);
        require_eq(READ_ONCE(window[i]), i & 1 ? '1' : '2');
        WRITE_ONCE(window[i], 'x');
        require_eq(page[i], 'x');
    }
    /* Flush requests of every kind. */
    unsigned long mask = 1;
    unsigned long flags[] = { UVMF_NONE, UVMF_TLB_FLUSH, UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG | UVMF_ALL,
                              (unsigned long)&mask | UVMF_TLB_FLUSH, (unsigned long)&mask | UVMF_INVLPG };
    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
        check_eq(hcall(update_va_mapping, window, pte_make(virt_to_mfn(i & 1 ? one : two), RO), flags[i]), 0);

    check(hcall(update_va_mapping, window, pte_make(virt_to_mfn(pt_root()), RW), UVMF_INVLPG) < 0);
    check(hcall(update_va_mapping, HYPERVISOR_VIRT_START, pte_make(own, RW), UVMF_INVLPG) < 0);
    check(hcall(update_va_mapping, 0x0000300000000000, pte_make(own, RW), UVMF_INVLPG) < 0);  /* no L1 there */
    check(hcall(update_va_mapping, 0x8000000000000000, pte_make(own, RW), UVMF_INVLPG) < 0);
    check(hcall(update_va_mapping_otherdomain, window, pte_make(own, RW), UVMF_INVLPG, 0) < 0);
    check_eq(pt_set(window, pte_make(own, RW)), 0);
    check_eq(window[0], 0);

    /* Flushes by mmuext_op. */
    check_eq(pt_ext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    check_eq(pt_ext(MMUEXT_TLB_FLUSH_ALL, 0), 0);
    check_eq(pt_ext_linear(MMUEXT_INVLPG_LOCAL, (unsigned long)window), 0);
    check_eq(pt_ext_linear(MMUEXT_INVLPG_ALL, (unsigned long)window), 0);

    /* Clearing and copying frames. */
    struct mmuext_op copy = { .cmd = MMUEXT_COPY_PAGE };

    copy.arg1.mfn = virt_to_mfn(two);
    copy.arg2.src_mfn = virt_to_mfn(one);
    check_eq(hcall(mmuext_op, &copy, 1, NULL, DOMID_SELF), 0);
    check_eq(memcmp(one, two, 4096), 0);
    check_eq(pt_ext(MMUEXT_CLEAR_PAGE, virt_to_mfn(one)), 0);
    check_eq(one[0], 0);
    check_eq(one[4095], 0);
    check(pt_ext(MMUEXT_CLEAR_PAGE, virt_to_mfn(pt_root())) < 0);
    check(pt_ext(MMUEXT_CLEAR_PAGE, 0x7ffffff) < 0);
}
