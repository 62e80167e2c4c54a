/* mm_ptwr.c - writable page tables: a guest kernel's store to one of its own read-only L1 tables.
 *
 * Invariants. Only L1 tables are served, only for the guest's kernel, and only while the domain has the assist. The
 * store becomes an update of the whole 8-byte entry that it falls into: a narrower one is merged with the bytes
 * around it. As in Xen there is no short way for changes of flags only, so an entry of a granted frame cannot be
 * rewritten like this. What is refused stays a page fault of the guest's.
 */
#include "direct_paging.h"

int mm_ptwr_store(struct hv *hv, struct vcpu *v, uint64_t pa, uint64_t value, uint32_t size)
{
    uint64_t table = pa >> 12, mask = size == 8 ? ~UINT64_C(0) : (UINT64_C(1) << (size * 8)) - 1;
    unsigned slot = (unsigned)(pa >> 3) & (PT_ENTRIES - 1), shift = (unsigned)(pa & 7) * 8;
    uint64_t old = mm_table(hv, table)[slot];
    uint64_t pte = (old & ~(mask << shift)) | (value & mask) << shift;
    if (pte & PTE_P) {
        int rc = mm_l1e_get(hv, pte, v->domid);
        if (rc != 0)
            return rc;
        pte = l1e_adjust(pte);
    }
    mm_write_entry(hv, table, slot, old, pte);
    if (old & PTE_P)
        mm_l1e_put(hv, old);
    return 0;
}
