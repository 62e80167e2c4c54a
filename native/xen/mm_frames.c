/* mm_frames.c - the frame allocator, references to frames, and the machine-to-phys table.
 *
 * Invariants. A frame is free if and only if its reference count is zero; then its owner is OWNER_NONE, its type none.
 * The allocator gives the lowest free frame: which one a guest gets is a function of what was allocated before, never
 * of the host. hv_state.free_hint is at or below the lowest free frame. Frames that were never used are still the zero
 * pages of the mapping, so only a frame with PGC_DIRTY is cleared on its way out, and memory that no guest touched
 * costs the host nothing. Frame 0 is Xen's and zero for ever: machine address 0 can mean "none" everywhere, and the GDT
 * pages that a guest left out read as this frame.
 *
 * The machine-to-phys table lies in frames of Xen's right behind it and is mapped read-only into every PV guest. An
 * entry is the guest's own claim about its frame (MMU_MACHPHYS_UPDATE); nothing in Xen believes it.
 */
#include "mm.h"

enum { M2P_PER_FRAME = 512 };

static uint64_t *m2p_entry(struct hv *hv, uint64_t mfn, uint64_t *frame)
{
    *frame = hv->s->m2p_frame + mfn / M2P_PER_FRAME;
    return (uint64_t *)machine_frame(hv->m, *frame) + mfn % M2P_PER_FRAME;
}

int mm_init(struct hv *hv)
{
    struct hv_state *s = hv->s;
    uint64_t m2p = (s->frames + M2P_PER_FRAME - 1) / M2P_PER_FRAME;
    if (s->frames < m2p + 2)
        return -ENOMEM;
    hv->mm_work_limit = MM_WORK_LIMIT;
    s->m2p_frame = 1;
    s->m2p_frames = m2p;
    for (uint64_t f = 0; f < s->frames; f++)
        hv->pages[f].owner = OWNER_NONE;
    for (uint64_t f = 0; f <= m2p; f++)
        hv->pages[f] = (struct page_info){ .ref_info = PGC_ALLOCATED | 1, .owner = OWNER_XEN };
    for (uint64_t f = 1; f <= m2p; f++) {
        machine_write_begin(hv->m, f);
        memset(machine_frame(hv->m, f), 0xff, ENGINE_PAGE_SIZE);
    }
    s->free_hint = m2p + 1;
    s->free_frames = s->frames - m2p - 1;
    return 0;
}

void mm_take_frame(struct hv *hv, uint64_t f, uint16_t owner)
{
    struct page_info *page = &hv->pages[f];
    hv->s->free_frames--;
    if (page->ref_info & PGC_DIRTY) {
        machine_write_begin(hv->m, f);
        memset(machine_frame(hv->m, f), 0, ENGINE_PAGE_SIZE);
    }
    *page = (struct page_info){ .ref_info = PGC_ALLOCATED | 1, .owner = owner };
}

/* The lowest free frame, taken by `owner`; ~0 when there is none. */
static uint64_t take_frame(struct hv *hv, uint16_t owner)
{
    struct hv_state *s = hv->s;
    if (s->free_frames == 0)
        return ~UINT64_C(0);
    uint64_t f = s->free_hint;
    while (f < s->frames && page_refs(&hv->pages[f]) != 0)
        f++;
    if (f == s->frames)
        return ~UINT64_C(0);
    s->free_hint = f + 1;
    mm_take_frame(hv, f, owner);
    return f;
}

uint64_t hv_alloc_frames(struct hv *hv, uint16_t owner, uint64_t count, uint64_t *out)
{
    uint64_t n = 0;
    while (n < count && (out[n] = take_frame(hv, owner)) != ~UINT64_C(0))
        n++;
    struct domain *d = hv_domain_by_id(hv, owner);
    if (d)
        d->tot_pages += n;
    return n;
}

uint64_t hv_alloc_frame(struct hv *hv, uint16_t owner)
{
    uint64_t frame;
    return hv_alloc_frames(hv, owner, 1, &frame) ? frame : ~UINT64_C(0);
}

uint64_t hv_alloc_shared_frame(struct hv *hv, uint16_t owner)
{
    uint64_t frame = take_frame(hv, owner);
    if (frame != ~UINT64_C(0)) {
        hv->pages[frame].ref_info |= PGC_XEN_HEAP;
        page_get_writable(&hv->pages[frame]);
    }
    return frame;
}

uint64_t hv_alloc_shared_frames(struct hv *hv, uint16_t owner, uint64_t count, uint64_t *out)
{
    uint64_t n = 0;
    while (n < count && (out[n] = hv_alloc_shared_frame(hv, owner)) != ~UINT64_C(0))
        n++;
    return n;
}

void mm_page_released(struct hv *hv, uint64_t mfn)
{
    struct page_info *page = &hv->pages[mfn];
    struct domain *d = hv_domain_by_id(hv, page->owner);
    if (d && !(page->ref_info & PGC_XEN_HEAP))
        d->tot_pages--;
    *page = (struct page_info){ .ref_info = PGC_DIRTY, .owner = OWNER_NONE };
    hv_set_m2p(hv, &mfn, 1, M2P_INVALID);
    hv->s->free_frames++;
    if (mfn < hv->s->free_hint)
        hv->s->free_hint = mfn;
}

void hv_free_frame(struct hv *hv, uint64_t frame)
{
    struct page_info *page = mm_page(hv, frame);
    if (!page || !(page->ref_info & PGC_ALLOCATED))
        return;
    page->ref_info &= ~PGC_ALLOCATED;
    if (page->ref_info & PGC_XEN_HEAP)
        (void)mm_type_put(hv, frame, NULL, false);
    page_put(hv, frame);
}

int hv_get_page(struct hv *hv, uint64_t mfn, uint16_t owner)
{
    struct page_info *page = mm_page(hv, mfn);
    if (!page || page->owner != owner || !page_get(page))
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE, owner, 0);
    return 0;
}

void hv_put_page(struct hv *hv, uint64_t mfn)
{
    if (mm_page(hv, mfn) && page_refs(&hv->pages[mfn]))
        page_put(hv, mfn);
}

void hv_set_m2p(struct hv *hv, const uint64_t *mfns, uint64_t count, uint64_t pfn)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t frame;
        if (mfns[i] >= hv->s->frames)
            continue;
        uint64_t *entry = m2p_entry(hv, mfns[i], &frame);
        machine_write_begin(hv->m, frame);
        *entry = pfn == M2P_INVALID ? pfn : pfn + i;
    }
}

uint64_t hv_get_m2p(struct hv *hv, uint64_t mfn)
{
    uint64_t frame;
    return mfn < hv->s->frames ? *m2p_entry(hv, mfn, &frame) : M2P_INVALID;
}

uint64_t hv_owned_run(struct hv *hv, uint64_t *first, bool *zero)
{
    uint64_t frames = hv->s->frames, f = *first;
    while (f < frames && hv->pages[f].owner == OWNER_NONE)
        f++;
    *first = f;
    if (f >= frames)
        return 0;
    *zero = machine_frame_is_zero(hv->m, f);
    while (f < frames && hv->pages[f].owner != OWNER_NONE && machine_frame_is_zero(hv->m, f) == *zero)
        f++;
    return f - *first;
}
