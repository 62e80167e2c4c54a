/* mm_entry.c - changing one entry of a page table in use.
 *
 * Invariants. The new entry's references are taken before the old one's are dropped, and the store lies between: at no
 * time does a table hold an entry whose frame is not held, and a refused update has changed nothing. An update that
 * keeps frame and rights and differs only in flags that need no reference (accessed, dirty, NX, the available bits,
 * GLOBAL, USER) is only a store: this is also how a guest may touch the flags of an entry that maps a granted frame,
 * whose references it could not take again.
 */
#include "direct_paging.h"

void mm_write_entry(struct hv *hv, uint64_t table, unsigned slot, uint64_t old, uint64_t pte)
{
    hv_trace_entry(hv, table, slot, old, pte);
    machine_write_begin(hv->m, table);
    mm_table(hv, table)[slot] = pte;
    if ((old & (PTE_P | PTE_A)) != (PTE_P | PTE_A))
        return;
    uint64_t lost = old & ~pte & (PTE_P | PTE_RW | PTE_USER | PTE_A | PTE_D);
    if (lost || ((old ^ pte) & PTE_ADDR) || (pte & ~old & PTE_NX))
        hv->tlb_stale = true;
}

int mm_mod_l1(struct hv *hv, uint64_t table, unsigned slot, uint64_t pte, bool preserve_ad, uint16_t pg_domid)
{
    uint64_t old = mm_table(hv, table)[slot];
    if (pte & PTE_P) {
        if (pte & L1_DISALLOW)
            return (int)hv_refuse(hv, RULE_pte_flags, 1, pte, L1_DISALLOW, pte_mfn(pte));
        pte = l1e_adjust(pte);
        if (!((old ^ pte) & ~FASTPATH_FLAGS)) {
            mm_write_entry(hv, table, slot, old, preserve_ad ? pte | (old & (PTE_A | PTE_D)) : pte);
            return 0;
        }
        int rc = mm_l1e_get(hv, pte, pg_domid);
        if (rc != 0)
            return rc;
    }
    mm_write_entry(hv, table, slot, old, preserve_ad ? pte | (old & (PTE_A | PTE_D)) : pte);
    if (old & PTE_P)
        mm_l1e_put(hv, old);
    return 0;
}

/* The entry is gone already; what it held may take longer than this hypercall. */
static void put_old_entry(struct hv *hv, uint64_t table, uint64_t old)
{
    if (mm_table_entry_put(hv, table, old, false) != 0) {
        hv->mm_vcpu->old_table = pte_mfn(old);
        hv->mm_vcpu->old_table_partial = 1;
    }
}

int mm_mod_table(struct hv *hv, uint32_t level, uint64_t table, unsigned slot, uint64_t pte, bool preserve_ad)
{
    uint64_t old = mm_table(hv, table)[slot];
    if (level == 4 && l4_xen_slot(slot))
        return (int)hv_refuse(hv, RULE_l4_xen_slot, slot, L4_XEN_FIRST, L4_XEN_LAST, pte);
    if (pte & PTE_P) {
        if (pte & TABLE_DISALLOW)
            return (int)hv_refuse(hv, RULE_pte_flags, level, pte, TABLE_DISALLOW, pte_mfn(pte));
        pte |= PTE_USER;
        if (!((old ^ pte) & ~FASTPATH_FLAGS)) {
            mm_write_entry(hv, table, slot, old, preserve_ad ? pte | (old & (PTE_A | PTE_D)) : pte);
            return 0;
        }
        int rc = mm_table_entry_get(hv, level, table, pte, false);
        if (rc != 0)
            return rc;
    }
    mm_write_entry(hv, table, slot, old, preserve_ad ? pte | (old & (PTE_A | PTE_D)) : pte);
    if (old & PTE_P)
        put_old_entry(hv, table, old);
    return 0;
}

unsigned mm_find_l1(struct hv *hv, const struct vcpu *v, uint64_t va, uint64_t *table, unsigned *slot)
{
    uint64_t mfn = v->cr3_kernel >> 12;
    if (!addr_ok(va) || mfn == 0)
        return 5;
    for (unsigned level = 4; level > 1; level--) {
        uint64_t entry = mm_table(hv, mfn)[(va >> (12 + 9 * (level - 1))) & (PT_ENTRIES - 1)];
        if ((entry & (PTE_P | PTE_PSE)) != PTE_P || pte_mfn(entry) >= hv->s->frames)
            return level;
        mfn = pte_mfn(entry);
    }
    *table = mfn;
    *slot = (unsigned)(va >> 12) & (PT_ENTRIES - 1);
    return 0;
}
