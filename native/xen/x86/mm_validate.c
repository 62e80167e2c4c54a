/* mm_validate.c - what makes a frame a page table: every entry's references, taken and dropped.
 *
 * Invariants. mm_promote() takes the references of all present entries; refusing, or interrupted, it leaves the cursor
 * at the entry where it stopped, and mm_demote() from there drops exactly what was taken, in reverse order. A
 * validated table's entries change only through mm_entry.c. A table holds its children, never the other way round,
 * and levels fall by one a step, so recursion ends after four tables. The exceptions are linear ("recursive") entries,
 * in which a table of level N stands in for one of N-1 so that a guest can see its page tables as an array:
 *
 *  - read-only always, because the frame mapped is a page table;
 *  - to the table itself: no references, it cannot outlive itself;
 *  - to another validated table of the same level and owner: the usual references. A table that has such entries
 *    (linear_pt_count > 0) is never the target of one (< 0), so chains have length one and reference cycles, which
 *    nobody could ever tear down, cannot be built.
 *
 * Slots 256..271 of an L4 are Xen's. They are cleared when a table becomes an L4: through a linear entry the processor
 * would take them for lower-level entries, and the guest may have left anything there.
 */
#include "direct_paging.h"

int mm_l1e_get(struct hv *hv, uint64_t pte, uint16_t pg_domid)
{
    uint64_t mfn = pte_mfn(pte);
    if (pte & L1_DISALLOW)
        return (int)hv_refuse(hv, RULE_pte_flags, 1, pte, L1_DISALLOW, mfn);
    struct page_info *page = mm_page(hv, mfn);
    if (!page)
        return (int)hv_refuse(hv, mfn == PTE_ADDR >> 12 ? RULE_l1e_invalid_mfn : RULE_l1e_not_ram, mfn, hv->s->frames,
                              pte, 0);
    if (page->owner != pg_domid || !page_get(page))
        return (int)hv_refuse(hv, RULE_l1e_owner, mfn, page->owner, pg_domid, pte);
    if ((pte & PTE_RW) && !page_get_writable(page)) {
        page_put(hv, mfn);
        return (int)hv_refuse(hv, RULE_l1e_writable, mfn, page_type(page), page_type_count(page), pte);
    }
    return 0;
}

void mm_l1e_put(struct hv *hv, uint64_t pte)
{
    uint64_t mfn = pte_mfn(pte);
    if (pte & PTE_RW)
        hv->pages[mfn].type_info--;
    page_put(hv, mfn);
}

/* An entry of `table` to a frame that is a table of the same level. */
static int linear_get(struct hv *hv, uint32_t level, uint64_t table, uint64_t pte)
{
    uint64_t mfn = pte_mfn(pte);
    struct page_info *page = &hv->pages[mfn], *parent = &hv->pages[table];
    if (!(pte & PTE_RW) && mfn == table)
        return 0;
    bool fits = !(pte & PTE_RW) && (page->type_info & PGT_VALIDATED) && page_type_count(page) < PGT_COUNT_MASK &&
                parent->linear_pt_count >= 0 && parent->linear_pt_count < INT16_MAX &&
                page->linear_pt_count <= 0 && page->linear_pt_count > INT16_MIN;
    if (!fits || !page_get(page))
        return (int)hv_refuse(hv, RULE_pte_linear, level, mfn, table, pte);
    page->linear_pt_count--;
    parent->linear_pt_count++;
    page->type_info++;
    return 0;
}

int mm_table_entry_get(struct hv *hv, uint32_t level, uint64_t table, uint64_t pte, bool partial)
{
    uint64_t mfn = pte_mfn(pte);
    uint16_t domid = hv->pages[table].owner;
    if (pte & TABLE_DISALLOW)
        return (int)hv_refuse(hv, RULE_pte_flags, level, pte, TABLE_DISALLOW, mfn);
    struct page_info *page = mm_page(hv, mfn);
    if (!page || page->owner != domid || page_refs(page) == 0)
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE, domid, pte);
    if (partial)
        return mm_type_get(hv, mfn, level - 1);
    if (page_type(page) == level && page_type_count(page) != 0)
        return linear_get(hv, level, table, pte);
    return mm_page_and_type_get(hv, mfn, domid, level - 1);
}

int mm_table_entry_put(struct hv *hv, uint64_t table, uint64_t pte, bool partial)
{
    uint64_t mfn = pte_mfn(pte);
    if (mfn == table)
        return 0;
    int rc = mm_type_put(hv, mfn, &hv->pages[table], partial);
    if (rc == 0)
        page_put(hv, mfn);
    return rc;
}

static int promote_l1(struct hv *hv, uint64_t mfn)
{
    uint64_t *table = mm_table(hv, mfn);
    uint16_t domid = hv->pages[mfn].owner;
    bool written = false;
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t pte = table[i];
        if (!(pte & PTE_P))
            continue;
        int rc = mm_l1e_get(hv, pte, domid);
        if (rc != 0) {
            while (i-- > 0)
                if (table[i] & PTE_P)
                    mm_l1e_put(hv, table[i]);
            return rc;
        }
        uint64_t adjusted = l1e_adjust(pte);
        if (adjusted != pte) {
            if (!written)
                machine_write_begin(hv->m, mfn);
            written = true;
            table[i] = adjusted;
        }
    }
    return 0;
}

/* An entry that counts: present, and not in Xen's part of an L4. */
static bool in_use(uint32_t level, unsigned slot, uint64_t pte)
{
    return (pte & PTE_P) && !(level == 4 && l4_xen_slot(slot));
}

static int promote_table(struct hv *hv, uint32_t level, uint64_t mfn)
{
    uint64_t *table = mm_table(hv, mfn);
    struct page_info *page = &hv->pages[mfn];
    unsigned start = page->cursor & (PT_PARTIAL_CHILD - 1);
    bool partial = page->cursor & PT_PARTIAL_CHILD;
    machine_write_begin(hv->m, mfn);
    for (unsigned i = start; i < PT_ENTRIES; i++, partial = false) {
        if (!in_use(level, i, table[i]))
            continue;
        int rc = MM_AGAIN;
        if (i == start || !mm_interrupted(hv)) {
            rc = mm_table_entry_get(hv, level, mfn, table[i], partial);
            /* We hold an interrupted child's page; a refused child may have become old_table, and is ours now. */
            if (rc == MM_AGAIN) {
                if (!partial)
                    (void)page_get(&hv->pages[pte_mfn(table[i])]);
                partial = true;
            } else if (rc != 0 && mm_became_old(hv, pte_mfn(table[i]))) {
                hv->mm_vcpu->old_table = 0;
                partial = true;
            }
        }
        if (rc != 0) {
            page->cursor = i | (partial ? PT_PARTIAL_CHILD : 0u);
            return rc;
        }
        table[i] |= PTE_USER;
    }
    if (level == 4)
        memset(&table[L4_XEN_FIRST], 0, (L4_XEN_LAST - L4_XEN_FIRST + 1) * sizeof table[0]);
    return 0;
}

int mm_promote(struct hv *hv, uint64_t mfn, uint32_t type)
{
    hv->mm_work += PT_ENTRIES;
    if (type == PGT_l1)
        return promote_l1(hv, mfn);
    if (type == PGT_seg)
        return seg_validate_frame(hv, hv_domain_by_id(hv, hv->pages[mfn].owner), mfn);
    return promote_table(hv, type, mfn);
}

static int demote_table(struct hv *hv, uint32_t level, uint64_t mfn)
{
    const uint64_t *table = mm_table(hv, mfn);
    struct page_info *page = &hv->pages[mfn];
    unsigned i = page->cursor & (PT_PARTIAL_CHILD - 1);
    bool partial = page->cursor & PT_PARTIAL_CHILD, first = true;
    for (i += partial; i-- > 0; partial = false, first = false) {
        if (!in_use(level, i, table[i]))
            continue;
        if (!first && mm_interrupted(hv)) {
            page->cursor = i + 1;
            return MM_AGAIN;
        }
        if (mm_table_entry_put(hv, mfn, table[i], partial) != 0) {
            page->cursor = i | PT_PARTIAL_CHILD;
            return MM_AGAIN;
        }
    }
    return 0;
}

int mm_demote(struct hv *hv, uint64_t mfn, uint32_t type)
{
    const uint64_t *table = mm_table(hv, mfn);
    hv->mm_work += PT_ENTRIES;
    if (type != PGT_l1)
        return demote_table(hv, type, mfn);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (table[i] & PTE_P)
            mm_l1e_put(hv, table[i]);
    return 0;
}
