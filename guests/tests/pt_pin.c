/* @title  page-table pinning
 * @fact   a frame becomes a page table only when it is not writable and each of its entries is allowed; a pinned table
 *         cannot become anything else
 * @source xen/arch/x86/mm.c (opening comment), xen/include/public/xen.h (MMUEXT_PIN_*)
 * @env    pv64 pv64low
 */
#include <guest.h>

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)

/* A page with one entry, read-only to the guest. */
static pte_t *table_with(pte_t entry, unsigned slot)
{
    pte_t *table = page_alloc();

    table[slot] = entry;
    require_eq(page_readonly(table), 0);
    return table;
}

static void refused(unsigned pin, pte_t entry, unsigned slot, const char *what)
{
    pte_t *table = table_with(entry, slot);
    long rc = pt_ext(pin, virt_to_mfn(table));

    if (rc >= 0)
        verdict_note(false, __FILE__, __LINE__, "pinning with %s gave %ld", what, rc);
    /* Nothing is left behind: the frame can be written again. */
    check_eq(page_writable(table), 0);
}

void test_main(void)
{
    char *data = page_alloc();
    uint64_t mfn = virt_to_mfn(data);
    uint64_t root = virt_to_mfn(pt_root());

    /* Writable frames cannot be page tables. */
    pte_t *table = page_alloc();
    uint64_t table_mfn = virt_to_mfn(table);

    check_eq(pt_ext(MMUEXT_PIN_L1_TABLE, table_mfn), -XEN_EINVAL);
    require_eq(page_readonly(table), 0);
    check_eq(pt_ext(MMUEXT_PIN_L1_TABLE, table_mfn), 0);
    check_eq(pt_ext(MMUEXT_PIN_L1_TABLE, table_mfn), -XEN_EINVAL);      /* twice */
    check_eq(pt_ext(MMUEXT_PIN_L2_TABLE, table_mfn), -XEN_EINVAL);      /* as something else */
    check(page_writable(table) < 0);
    check_eq(pt_ext(MMUEXT_UNPIN_TABLE, table_mfn), 0);
    check_eq(pt_ext(MMUEXT_UNPIN_TABLE, table_mfn), -XEN_EINVAL);
    check_eq(page_writable(table), 0);

    /* Each level, empty. */
    for (unsigned i = 0; i < 4; i++) {
        table = table_with(0, 0);
        check_eq(pt_ext(MMUEXT_PIN_L1_TABLE + i, virt_to_mfn(table)), 0);
        check_eq(pt_ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table)), 0);
        check_eq(page_writable(table), 0);
    }

    /* An L1 that maps an ordinary frame, read-only and writable. */
    table = table_with(pte_make(mfn, RO), 5);
    check_eq(pt_ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table)), 0);
    check_eq(pt_write(&table[6], pte_make(mfn, RW)), 0);
    check_eq(pt_ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table)), 0);
    check_eq(page_writable(table), 0);

    /* Entries that are never allowed. */
    refused(MMUEXT_PIN_L1_TABLE, pte_make(root, RW), 0, "a writable mapping of a page table");
    refused(MMUEXT_PIN_L1_TABLE, pte_make(0x7ffffff, RO), 0, "a frame that does not exist");
    refused(MMUEXT_PIN_L1_TABLE, pte_make(mfn, RO | 1ULL << 51), 0, "a reserved address bit");
    refused(MMUEXT_PIN_L2_TABLE, pte_make(mfn, RO), 0, "an L1 that is a writable frame");
    refused(MMUEXT_PIN_L2_TABLE, pte_make(0, RO | PTE_PS), 0, "a superpage");
    refused(MMUEXT_PIN_L3_TABLE, pte_make(mfn, RO), 0, "an L2 that is a writable frame");
    refused(MMUEXT_PIN_L3_TABLE, pte_make(root, RO), 0, "an L4 as an L2");
    refused(MMUEXT_PIN_L4_TABLE, pte_make(mfn, RO), 0, "an L3 that is a writable frame");
    refused(MMUEXT_PIN_L2_TABLE, pte_make(root, RO), 7, "an L4 as an L1");

    /* A table cannot map itself writably. */
    table = page_alloc();
    table[0] = pte_make(virt_to_mfn(table), RW);
    require_eq(page_readonly(table), 0);
    check(pt_ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table)) < 0);
    check_eq(page_writable(table), 0);

    /* Frames that are not the domain's. */
    check(pt_ext(MMUEXT_PIN_L1_TABLE, 0x7ffffff) < 0);
    check(pt_ext(MMUEXT_PIN_L1_TABLE, ~0UL) < 0);
    check(pt_ext(MMUEXT_NEW_BASEPTR, mfn) < 0);
    check(pt_ext(MMUEXT_NEW_BASEPTR, ~0UL) < 0);
    check_eq(pt_ext(77, mfn), -XEN_ENOSYS);

    /* The base pointer may be set to the table in use. */
    check_eq(pt_ext(MMUEXT_NEW_BASEPTR, root), 0);
}
