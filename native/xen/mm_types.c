/* mm_types.c - type references: taking the first one validates the frame, dropping the last one undoes it.
 *
 * Invariants. Count 0: the frame may take any type (the recorded one is history; VALIDATED stays with writable and
 * descriptor frames, which may be taken again as the same type without another look, since becoming anything else in
 * between would have changed the type). Count above 0 and VALIDATED: the frame is that type. Count 1 and not
 * VALIDATED: it is being validated or torn down right now, further up our own call stack; nobody may take it.
 */
#include "mm.h"

int mm_type_get(struct hv *hv, uint64_t mfn, uint32_t type)
{
    struct page_info *page = &hv->pages[mfn];
    uint32_t count = page_type_count(page), has = page_type(page);
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
    int rc = mm_promote(hv, mfn, type);
    if (rc == 0)
        page->type_info |= PGT_VALIDATED;
    else
        page->type_info = 0;
    return rc;
}

void mm_type_put(struct hv *hv, uint64_t mfn, struct page_info *parent)
{
    struct page_info *page = &hv->pages[mfn];
    uint32_t type = page_type(page);
    bool linear = parent && page_type(parent) == type;
    if (page_type_count(page) == 1 && type >= PGT_l1 && type <= PGT_l4) {
        page->type_info &= ~(uint32_t)PGT_VALIDATED;
        mm_demote(hv, mfn, type);
    }
    page->type_info--;
    if (linear) {
        page->linear_pt_count++;
        parent->linear_pt_count--;
    }
}

int mm_page_and_type_get(struct hv *hv, uint64_t mfn, uint16_t domid, uint32_t type)
{
    int rc = hv_get_page(hv, mfn, domid);
    if (rc == 0 && (rc = mm_type_get(hv, mfn, type)) != 0)
        page_put(hv, mfn);
    return rc;
}

void mm_page_and_type_put(struct hv *hv, uint64_t mfn)
{
    mm_type_put(hv, mfn, NULL);
    page_put(hv, mfn);
}

int hv_get_page_type(struct hv *hv, struct domain *d, uint64_t mfn, uint32_t type)
{
    struct page_info *page = mm_page(hv, mfn);
    bool known = (type >= PGT_l1 && type <= PGT_seg) || type == PGT_writable;
    if (!page || !known || page_refs(page) == 0 || (d && page->owner != d->domid))
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE,
                              d ? d->domid : (uint64_t)OWNER_NONE, 0);
    return mm_type_get(hv, mfn, type);
}

void hv_put_page_type(struct hv *hv, struct domain *d, uint64_t mfn)
{
    struct page_info *page = mm_page(hv, mfn);
    if (page && page_type_count(page) && (!d || page->owner == d->domid))
        mm_type_put(hv, mfn, NULL);
}

int hv_pin_table(struct hv *hv, struct domain *d, uint64_t mfn, uint32_t level)
{
    if (level < 1 || level > 4)
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
