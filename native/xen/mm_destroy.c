/* mm_destroy.c - letting go of everything that a vcpu or a domain holds.
 *
 * Invariants. References are dropped by the same functions that drop them in a guest's life; nothing is forced. Base
 * pointers, descriptor pages and event pages go first (grant.c has dropped what was mapped for devices), then the
 * pins: with those gone no table of the domain has a type reference left, so every reference that its tables held is
 * dropped too (reference cycles of tables cannot be built, see mm_validate.c). Then the owner's own reference to each
 * frame. A frame that another domain still maps through a grant keeps its contents and its (late) owner until that
 * mapping goes.
 */
#include "mm.h"

void mm_vcpu_destroy(struct hv *hv, struct vcpu *v)
{
    const struct domain *d = hv_domain(hv, v);
    (void)mm_finish_old(hv, v);
    if (&DIRECT_PAGING)
        DIRECT_PAGING.vcpu_destroyed(hv, v);
    if (v->info_pa != 0 && v->info_pa >> 12 != d->shared_info_frame)
        mm_page_and_type_put(hv, v->info_pa >> 12);
    v->info_pa = 0;
    if (v->fifo_control_frame != 0)
        mm_page_and_type_put(hv, v->fifo_control_frame);
    v->fifo_control_frame = 0;
    hv->tlb_stale = true;
}

void mm_domain_destroy(struct hv *hv, struct domain *d)
{
    for (unsigned i = 0; i < HV_DOMAIN_VCPUS; i++)
        if (hv_vcpu(hv, d, i))
            mm_vcpu_destroy(hv, hv_vcpu(hv, d, i));
    for (unsigned i = 0; i < HV_FIFO_PAGES; i++) {
        if (d->fifo_page[i] != 0)
            mm_page_and_type_put(hv, d->fifo_page[i]);
        d->fifo_page[i] = 0;
    }
    d->fifo_pages = 0;
    if (d->pirq_eoi_frame != 0)
        mm_page_and_type_put(hv, d->pirq_eoi_frame);
    d->pirq_eoi_frame = 0;
    if (d->rings_held & HV_RING_STORE)
        mm_page_and_type_put(hv, d->store_frame);
    if (d->rings_held & HV_RING_CONSOLE)
        mm_page_and_type_put(hv, d->console_frame);
    d->rings_held = 0;
    for (uint64_t f = 0; f < hv->s->frames; f++) {
        struct page_info *page = &hv->pages[f];
        if (page->owner == d->domid && (page->type_info & PGT_PINNED)) {
            page->type_info &= ~(uint32_t)PGT_PINNED;
            mm_page_and_type_put(hv, f);
        }
    }
    /* Validations that nobody carried on. */
    for (uint64_t f = 0; f < hv->s->frames; f++)
        if (hv->pages[f].owner == d->domid && page_partial(&hv->pages[f]) && page_get(&hv->pages[f])) {
            (void)mm_type_put(hv, f, NULL, true);
            page_put(hv, f);
        }
    for (uint64_t f = 0; f < hv->s->frames; f++)
        if (hv->pages[f].owner == d->domid)
            hv_free_frame(hv, f);
}
