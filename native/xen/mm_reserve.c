/* mm_reserve.c - a domain's reservation: extents of machine memory taken and frames given back (memory_op).
 *
 * Invariants. tot_pages counts the frames whose owner is the domain, whoever still maps them: a frame that was given
 * back while something refers to it stays the domain's, and counted, until the last reference goes. A domain gets no
 * extent that would take it over max_pages. Extents are aligned to their size, and the lowest free one is taken, so
 * what a guest gets depends on nothing but what was taken before.
 */
#include "mm.h"

static bool extent_free(const struct hv *hv, uint64_t first, uint64_t frames)
{
    for (uint64_t i = 0; i < frames; i++)
        if (page_refs(&hv->pages[first + i]) != 0)
            return false;
    return true;
}

uint64_t hv_alloc_extent(struct hv *hv, struct domain *d, uint32_t order, uint32_t address_bits, bool replace)
{
    uint64_t end = hv->s->frames;
    if (order > 20)
        return ~UINT64_C(0);
    uint64_t frames = UINT64_C(1) << order;
    if (!replace && (d->tot_pages > d->max_pages || d->max_pages - d->tot_pages < frames))
        return ~UINT64_C(0);
    if (address_bits != 0 && address_bits < 64 && UINT64_C(1) << address_bits >> ENGINE_PAGE_SHIFT < end)
        end = UINT64_C(1) << address_bits >> ENGINE_PAGE_SHIFT;
    uint64_t first = (hv->s->free_hint + frames - 1) & ~(frames - 1);
    while (first + frames <= end && !extent_free(hv, first, frames))
        first += frames;
    if (first + frames > end)
        return ~UINT64_C(0);
    for (uint64_t i = 0; i < frames; i++)
        mm_take_frame(hv, first + i, d->domid);
    d->tot_pages += frames;
    return first;
}

int hv_release_frame(struct hv *hv, struct domain *d, uint64_t mfn)
{
    struct page_info *page = mm_page(hv, mfn);
    if (!page)
        return -EINVAL;
    if (page->owner != d->domid || !(page->ref_info & PGC_ALLOCATED) || (page->ref_info & PGC_XEN_HEAP))
        return -ENXIO;
    if (page->type_info & PGT_PINNED)
        (void)hv_unpin_table(hv, d, mfn);
    hv_free_frame(hv, mfn);
    return 0;
}

bool hv_frame_unused(struct hv *hv, const struct domain *d, uint64_t mfn)
{
    const struct page_info *page = mm_page(hv, mfn);
    return page && page->owner == d->domid && page_refs(page) == 1 && (page->ref_info & PGC_ALLOCATED) &&
           !(page->ref_info & PGC_XEN_HEAP) && page_type_count(page) == 0;
}

int hv_hold_ring(struct hv *hv, struct domain *d, uint32_t ring)
{
    if (d->rings_held & ring)
        return 0;
    int rc = mm_page_and_type_get(hv, ring == HV_RING_STORE ? d->store_frame : d->console_frame, d->domid, PGT_writable);
    if (rc == 0)
        d->rings_held |= ring;
    return rc;
}
