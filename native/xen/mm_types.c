/* mm_types.c - type references: taking the first one validates the frame, dropping the last one undoes it.
 *
 * Invariants. Count 0: the frame may take any type (the recorded one is history; VALIDATED stays with writable and
 * descriptor frames, which may be taken again as the same type without another look, since becoming anything else in
 * between would have changed the type). Count above 0 and VALIDATED: the frame is that type. Count 1 and not
 * VALIDATED: it is being validated or torn down, right now further up our own call stack, where nobody may take it, or
 * PGC_PARTIAL, when whoever asks for its type carries the validation on.
 */
#include "mm.h"

static void set_partial(struct page_info *page) { page->ref_info = (page->ref_info | PGC_PARTIAL) + 1; }
static void clear_partial(struct page_info *page) { page->ref_info = (page->ref_info & ~PGC_PARTIAL) - 1; }

/* Validate from the cursor on, at a type count of 1. */
static int validate(struct hv *hv, uint64_t mfn, uint32_t type)
{
    struct page_info *page = &hv->pages[mfn];
    int rc = DIRECT_PAGING.promote(hv, mfn, type);
    if (rc == 0) {
        page->type_info |= PGT_VALIDATED;
        page->cursor = 0;
    } else if (rc == MM_AGAIN) {
        set_partial(page);
    } else if (page->cursor != 0 && hv->mm_vcpu) {
        set_partial(page);        /* refused; what it had taken is put back in pieces */
        hv->mm_vcpu->old_table = mfn;
        hv->mm_vcpu->old_table_partial = 1;
    } else {
        if (page->cursor != 0)
            (void)DIRECT_PAGING.demote(hv, mfn, type);
        page->type_info = 0;
        page->cursor = 0;
    }
    return rc;
}

int mm_type_get(struct hv *hv, uint64_t mfn, uint32_t type)
{
    struct page_info *page = &hv->pages[mfn];
    uint32_t count = page_type_count(page), has = page_type(page);
    if (count != 0 && has == type && page_partial(page)) {
        clear_partial(page);
        return validate(hv, mfn, type);
    }
    if (count != 0) {
        if (has != type || !(page->type_info & PGT_VALIDATED) || count == PGT_COUNT_MASK)
            return (int)hv_refuse(hv, RULE_page_type, mfn, has, type, count);
        page->type_info++;
        return 0;
    }
    if (type == PGT_writable) {
        page_get_writable(page);
        return 0;
    }
    if (has == type && (page->type_info & PGT_VALIDATED)) {
        page->type_info++;
        return 0;
    }
    page->type_info = (type << PGT_TYPE_SHIFT) | 1;
    page->linear_pt_count = 0;
    page->cursor = 0;
    return validate(hv, mfn, type);
}

int mm_type_put(struct hv *hv, uint64_t mfn, struct page_info *parent, bool partial)
{
    struct page_info *page = &hv->pages[mfn];
    uint32_t type = page_type(page);
    if (partial && !page_partial(page))
        return 0;                 /* somebody carried it on meanwhile, and the type reference is theirs */
    if (!partial && parent && page_type(parent) == type) {
        page->linear_pt_count++;
        parent->linear_pt_count--;
    }
    if (page_type_count(page) == 1 && type >= PGT_l1 && type <= PGT_l4) {
        if (partial)
            clear_partial(page);
        else
            page->cursor = PT_ENTRIES;
        page->type_info &= ~(uint32_t)PGT_VALIDATED;
        if (DIRECT_PAGING.demote(hv, mfn, type) != 0) {
            set_partial(page);
            return MM_AGAIN;
        }
        page->cursor = 0;
        page->type_info = 0;
        return 0;
    }
    page->type_info--;
    return 0;
}

int mm_page_and_type_get(struct hv *hv, uint64_t mfn, uint16_t domid, uint32_t type)
{
    int rc = hv_get_page(hv, mfn, domid);
    if (rc != 0 || (rc = mm_type_get(hv, mfn, type)) == 0)
        return rc;
    /* Our reference becomes old_table's when the frame went there. */
    if (rc == MM_AGAIN || !mm_became_old(hv, mfn))
        page_put(hv, mfn);
    return rc;
}

void mm_page_and_type_put(struct hv *hv, uint64_t mfn)
{
    if (mm_type_put(hv, mfn, NULL, false) == 0) {
        page_put(hv, mfn);
    } else {
        hv->mm_vcpu->old_table = mfn;
        hv->mm_vcpu->old_table_partial = 1;
    }
}

void mm_begin(struct hv *hv, struct vcpu *v)
{
    hv->mm_work = 0;
    hv->mm_vcpu = v;
}

void mm_end(struct hv *hv) { hv->mm_vcpu = NULL; }

int mm_finish_old(struct hv *hv, struct vcpu *v)
{
    uint64_t mfn = v->old_table;
    if (mfn == 0)
        return 0;
    if (mm_type_put(hv, mfn, NULL, v->old_table_partial) != 0) {
        v->old_table_partial = 1;
        return MM_AGAIN;
    }
    v->old_table = v->old_table_partial = 0;
    page_put(hv, mfn);
    return 0;
}

void hv_set_work_limit(struct hv *hv, uint64_t entries) { hv->mm_work_limit = entries; }

int hv_get_page_type(struct hv *hv, struct domain *d, uint64_t mfn, uint32_t type)
{
    struct page_info *page = mm_page(hv, mfn);
    bool known = (&DIRECT_PAGING && type >= PGT_l1 && type <= PGT_seg) || type == PGT_writable;
    if (!page || !known || page_refs(page) == 0 || (d && page->owner != d->domid))
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE,
                              d ? d->domid : (uint64_t)OWNER_NONE, 0);
    return mm_type_get(hv, mfn, type);
}

void hv_put_page_type(struct hv *hv, struct domain *d, uint64_t mfn)
{
    struct page_info *page = mm_page(hv, mfn);
    if (page && page_type_count(page) && (!d || page->owner == d->domid))
        (void)mm_type_put(hv, mfn, NULL, false);
}

int hv_pin_table(struct hv *hv, struct domain *d, uint64_t mfn, uint32_t level)
{
    if (!&DIRECT_PAGING || level < 1 || level > 4)
        return -EINVAL;
    int rc = mm_page_and_type_get(hv, mfn, d->domid, level);
    if (rc == 0 && (hv->pages[mfn].type_info & PGT_PINNED)) {
        mm_page_and_type_put(hv, mfn);
        rc = (int)hv_refuse(hv, RULE_pin_twice, mfn, level, 0, 0);
    }
    if (rc == 0)
        hv->pages[mfn].type_info |= PGT_PINNED;
    return rc;
}

int hv_unpin_table(struct hv *hv, struct domain *d, uint64_t mfn)
{
    struct page_info *page = mm_page(hv, mfn);
    if (!page || page->owner != d->domid || page_refs(page) == 0)
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE, d->domid, 0);
    if (!(page->type_info & PGT_PINNED))
        return (int)hv_refuse(hv, RULE_unpin, mfn, page_type(page), page_type_count(page), 0);
    page->type_info &= ~(uint32_t)PGT_PINNED;
    mm_page_and_type_put(hv, mfn);
    return 0;
}
