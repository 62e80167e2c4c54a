/* mm_grant.c - the page-table half of a PV guest's grant mappings.
 *
 * Invariants. A mapping is an L1 entry that names a frame of another domain (or of the same one), and which ordinary
 * updates could not have made. Its references belong to the entry: taken here when it is written, dropped here when
 * it is unmapped, or by mm_entry.c when the guest overwrites the entry without telling. In that case the later unmap
 * finds another entry than it expects and changes nothing, so no reference is dropped twice. Statuses are GNTST_*.
 */
#include "../../abi/grant_table.h"
#include "direct_paging.h"
#include "pv.h"

/* The L1 entry that a grant operation names: by the machine address of the entry, or by what it maps. */
static bool find_entry(struct hv *hv, const struct vcpu *v, uint64_t addr, uint32_t flags, uint64_t *table,
                       unsigned *slot)
{
    if (flags & GNTMAP_contains_pte) {
        if (addr & 7)
            return false;
        *table = addr >> 12;
        *slot = (unsigned)(addr >> 3) & (PT_ENTRIES - 1);
    } else if (mm_find_l1(hv, v, addr, table, slot) != 0) {
        return false;
    }
    const struct page_info *page = mm_page(hv, *table);
    return page && page->owner == v->domid && page_type(page) == PGT_l1 && page_type_count(page) != 0;
}

static uint64_t grant_pte(uint64_t frame, uint32_t flags)
{
    uint64_t pte = frame << 12 | PTE_P | PTE_A | PTE_D | PTE_NX;
    if (flags & GNTMAP_application_map)
        pte |= PTE_USER;
    if (!(flags & GNTMAP_readonly))
        pte |= PTE_RW;
    pte |= (uint64_t)(flags >> GNTMAP_guest_avail0) << 9 & PTE_AVAIL;
    return l1e_adjust(pte);
}

int pv_map_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame)
{
    uint64_t table, pte = grant_pte(frame, flags);
    unsigned slot;
    if (!mm_page(hv, frame) || !find_entry(hv, v, host_addr, flags, &table, &slot) ||
        mm_l1e_get(hv, pte, hv->pages[frame].owner) != 0)
        return GNTST_general_error;
    uint64_t old = mm_table(hv, table)[slot];
    mm_write_entry(hv, table, slot, old, pte);
    if (old & PTE_P)
        mm_l1e_put(hv, old);
    return GNTST_okay;
}

int pv_replace_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags,
                     uint64_t frame)
{
    uint64_t table, replacement = 0;
    unsigned slot;
    int rc = GNTST_general_error;
    if (new_addr != 0) {
        if ((flags & GNTMAP_contains_pte) || !find_entry(hv, v, new_addr, 0, &table, &slot))
            return GNTST_general_error;
        replacement = mm_table(hv, table)[slot];
        mm_write_entry(hv, table, slot, replacement, 0);
    }
    if (find_entry(hv, v, host_addr, flags, &table, &slot)) {
        uint64_t old = mm_table(hv, table)[slot], want = grant_pte(frame, flags);
        if (!((old ^ want) & (PTE_ADDR | PTE_P | PTE_RW))) {
            mm_write_entry(hv, table, slot, old, replacement);
            mm_l1e_put(hv, old);
            rc = GNTST_okay;
        }
    }
    if (rc != GNTST_okay && (replacement & PTE_P))
        mm_l1e_put(hv, replacement);
    return rc;
}
