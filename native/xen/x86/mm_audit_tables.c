/* mm_audit_tables.c - what page tables, base pointers and descriptor tables hold, for hv_audit() (../mm_audit.c). */
#include "direct_paging.h"

static bool granted(struct hv *hv, uint16_t domid, uint64_t mfn)
{
    const struct domain *d = hv_domain_by_id(hv, domid);
    if (!d || d->privileged || d->maptrack_used == 0)
        return d && d->privileged;
    const struct maptrack *track = &hv->maptracks[(size_t)d->slot * HV_MAX_MAPTRACK];
    for (unsigned i = 0; i < HV_MAX_MAPTRACK; i++)
        if (track[i].flags != 0 && track[i].frame == mfn)
            return true;
    return false;
}

static void audit_l1(struct audit *a, uint64_t table, const struct page_info *info)
{
    const uint64_t *pte = mm_table(a->hv, table);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t mfn = pte_mfn(pte[i]);
        if (!(pte[i] & PTE_P))
            continue;
        mm_hold(a, mfn, pte[i] & PTE_RW ? PGT_writable : PGT_none, "L1 table", table);
        const struct page_info *page = mm_page(a->hv, mfn);
        if ((pte[i] & L1_DISALLOW) || !(pte[i] & PTE_USER))
            hv_differ(&a->found, "L1 %#llx slot %u: flags of %#llx", (unsigned long long)table, i, (unsigned long long)pte[i]);
        if (page && page->owner != info->owner && !granted(a->hv, info->owner, mfn))
            hv_differ(&a->found, "L1 %#llx slot %u: domain %u maps frame %#llx of %u without a grant", (unsigned long long)table,
                   i, info->owner, (unsigned long long)mfn, page->owner);
    }
}

static void audit_table(struct audit *a, uint32_t level, uint64_t table, const struct page_info *info)
{
    const uint64_t *pte = mm_table(a->hv, table);
    unsigned held = page_partial(info) ? info->cursor & (PT_PARTIAL_CHILD - 1) : (unsigned)PT_ENTRIES;
    if (page_partial(info) && (info->cursor & PT_PARTIAL_CHILD))
        mm_hold(a, pte_mfn(pte[held]), PGT_none, "partial table", table);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t mfn = pte_mfn(pte[i]);
        if (level == 4 && l4_xen_slot(i) && pte[i] != 0 && !page_partial(info))
            hv_differ(&a->found, "L4 %#llx: Xen's slot %u holds %#llx", (unsigned long long)table, i, (unsigned long long)pte[i]);
        if (!(pte[i] & PTE_P) || (level == 4 && l4_xen_slot(i)) || i >= held)
            continue;
        const struct page_info *page = mm_page(a->hv, mfn);
        bool linear = page && page_type(page) == level;
        if ((pte[i] & TABLE_DISALLOW) || !(pte[i] & PTE_USER) || (linear && (pte[i] & PTE_RW)))
            hv_differ(&a->found, "L%u %#llx slot %u: flags of %#llx", level, (unsigned long long)table, i,
                   (unsigned long long)pte[i]);
        if (page && page->owner != info->owner)
            hv_differ(&a->found, "L%u %#llx slot %u: table %#llx of another domain", level, (unsigned long long)table, i,
                   (unsigned long long)mfn);
        if (linear && mfn == table)
            continue;
        mm_hold(a, mfn, linear ? level : level - 1, "table", table);
        if (linear) {
            a->linear[mfn]--;
            a->linear[table]++;
        }
    }
}

void mm_audit_frame(struct audit *a, uint64_t mfn)
{
    const struct page_info *page = &a->hv->pages[mfn];
    uint32_t type = page_type(page);
    if (type == PGT_l1)
        audit_l1(a, mfn, page);
    else if (type >= PGT_l2 && type <= PGT_l4)
        audit_table(a, type, mfn, page);
}

void mm_audit_vcpu(struct audit *a, const struct vcpu *v)
{
    if (v->cr3_kernel)
        mm_hold(a, v->cr3_kernel >> 12, PGT_l4, "cr3_kernel of vcpu", v->id);
    if (v->cr3_user)
        mm_hold(a, v->cr3_user >> 12, PGT_l4, "cr3_user of vcpu", v->id);
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++)
        if (v->gdt_frames[i])
            mm_hold(a, v->gdt_frames[i], PGT_seg, "gdt of vcpu", v->id);
    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (v->ldt_frames[i])
            mm_hold(a, v->ldt_frames[i], PGT_seg, "ldt of vcpu", v->id);
}
