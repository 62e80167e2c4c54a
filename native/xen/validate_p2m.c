/* validate_p2m.c - is a domain's physmap from a file one that p2m.c could have made? */
#include "arch.h"
#include "p2m.h"
#include "validate.h"
#include "../abi/grant_table.h"

/* Tables that have been seen: each is in one place. */
struct tables { struct validation *c; const struct domain *d; uint8_t *seen; uint64_t highest; };

/* A frame of the domain's own that is plain memory. */
bool validate_plain_frame(const struct hv *hv, const struct domain *d, uint64_t frame)
{
    const struct page_info *page = frame < hv->s->frames ? &hv->pages[frame] : NULL;
    return page && page->owner == d->domid && (page_type(page) == PGT_none || page_type(page) == PGT_writable);
}

/* A frame that the domain has mapped by a grant, for writing if `writable`. */
static bool granted_frame(const struct hv *hv, const struct domain *d, uint64_t frame, bool writable)
{
    const struct maptrack *m = &hv->maptracks[(size_t)d->slot * HV_MAX_MAPTRACK];
    for (uint32_t handle = 0; d->maptrack_used != 0 && handle < HV_MAX_MAPTRACK; handle++)
        if (m[handle].flags & GNTMAP_host_map && m[handle].frame == frame && (!writable || !(m[handle].flags & GNTMAP_readonly)))
            return true;
    return false;
}

static bool leaf_ok(const struct tables *t, uint64_t gfn, uint64_t entry)
{
    uint64_t flags = entry & P2M_FLAGS;
    if (flags == P2M_DEVICE)
        return entry == P2M_DEVICE && hv_arch(t->d)->kind != HV_KIND_WHOLE && gfn <= t->highest;
    uint64_t frame = entry >> P2M_FRAME_SHIFT;
    return (validate_plain_frame(t->c->hv, t->d, frame) || granted_frame(t->c->hv, t->d, frame, flags & P2M_WRITABLE)) &&
           (flags == P2M_RAM || flags == (P2M_RAM | P2M_WRITABLE)) && gfn <= t->highest;
}

static bool table_ok(struct tables *t, uint64_t frame, int level, uint64_t first)
{
    struct hv *hv = t->c->hv;
    if (frame <= hv->s->m2p_frames || frame >= hv->s->frames || frame == hv->s->xen_gdt_frame || t->seen[frame] ||
        hv->pages[frame].owner != OWNER_XEN)
        return false;
    t->seen[frame] = 1;
    const uint64_t *entries = machine_frame(hv->m, frame);
    for (uint64_t i = 0; i < PT_ENTRIES; i++) {
        uint64_t gfn = first + (i << level * P2M_INDEX_BITS), entry = entries[i];
        if (entry == 0)
            continue;
        if (level == 0 ? !leaf_ok(t, gfn, entry)
                       : (entry & P2M_FLAGS) != P2M_TABLE || !table_ok(t, entry >> P2M_FRAME_SHIFT, level - 1, gfn))
            return false;
    }
    return true;
}

bool validate_p2m(struct validation *c, const struct domain *d, uint8_t *seen)
{
    const struct p2m *p2m = p2m_of(c->hv, d);
    if (!p2m)
        return true;
    struct tables t = {.c = c, .d = d, .seen = seen, .highest = p2m->highest_gfn};
    if (p2m->highest_gfn >= P2M_FRAMES || (p2m->root && !table_ok(&t, p2m->root, P2M_LEVELS - 1, 0)))
        return validate_fail(c, "domain %u: its physmap", d->domid);
    return true;
}
