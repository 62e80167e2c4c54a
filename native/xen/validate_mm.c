/* validate_mm.c - frames and grants, for hv_validate(). The sums of references are hv_audit()'s, which comes afterwards: here
 * is only what it relies on, and what it does not look at.
 */
#include <stdlib.h>
#include "../abi/grant_table.h"
#include "arch.h"
#include "validate.h"

enum { REF_UNUSED = 0x0c000000, PER_PAGE_V1 = 512, PER_PAGE_V2 = 256 };

static bool owner_ok(uint16_t owner)
{
    return owner < DOMID_FIRST_RESERVED || owner == OWNER_XEN || owner == OWNER_NONE;
}

/* A table whose validation was interrupted: how far it came. */
static bool cursor_ok(const struct page_info *page)
{
    uint32_t type = page_type(page), at = page->cursor & (PT_PARTIAL_CHILD - 1);
    if (!page_partial(page))
        return true;
    return type >= PGT_l2 && type <= PGT_l4 && page_type_count(page) == 1 && !(page->type_info & PGT_VALIDATED) &&
           page->cursor < 2 * PT_PARTIAL_CHILD && at < PT_ENTRIES + (page->cursor < PT_PARTIAL_CHILD);
}

static bool page_ok(const struct page_info *page)
{
    uint32_t type = page_type(page);
    if (!&DIRECT_PAGING && type != PGT_none && type != PGT_writable)
        return false;
    if (!owner_ok(page->owner) || page->ref_info & REF_UNUSED || type > PGT_shared || type == 6 || !cursor_ok(page))
        return false;
    if (page->owner == OWNER_NONE)
        return !(page->ref_info & ~PGC_DIRTY);
    return !(page->ref_info & PGC_DIRTY) && page_refs(page) != 0 &&
           (!(page->ref_info & PGC_XEN_HEAP) || type == PGT_writable);
}

/* Frame 0 reads as null descriptors; the machine-to-phys table is behind it. */
static bool check_own_frames(struct validation *c)
{
    struct hv *hv = c->hv;
    if (!machine_frame_is_zero(hv->m, 0))
        return validate_fail(c, "frame 0 is not empty");
    for (uint64_t f = 0; f <= hv->s->m2p_frames; f++)
        if (hv->pages[f].owner != OWNER_XEN)
            return validate_fail(c, "frame %#llx is not Xen's", (unsigned long long)f);
    return true;
}

bool validate_frames(struct validation *c)
{
    struct hv *hv = c->hv;
    for (uint64_t f = 0; f < hv->s->frames; f++) {
        const struct page_info *page = &hv->pages[f];
        if (!page_ok(page))
            return validate_fail(c, "frame %#llx: references %#x and type %#x cannot be", (unsigned long long)f,
                                 page->ref_info, page->type_info);
    }
    return check_own_frames(c) && (!&X86_MACHINE || X86_MACHINE.frames_ok(c));
}

/* ---- grants ---- */

static uint32_t entries_of(const struct domain *d)
{
    return d->grant_frames * (d->grant_version == 2 ? PER_PAGE_V2 : PER_PAGE_V1);
}

/* Add up what the mappings of domain `user` pin of the grants of `d`. */
static bool add_pins(struct validation *c, const struct domain *d, const struct domain *user, uint32_t *pins)
{
    const struct hv *hv = c->hv;
    const struct maptrack *m = &hv->maptracks[(size_t)user->slot * HV_MAX_MAPTRACK];
    const struct active_grant *active = &hv->grants[(size_t)d->slot * HV_MAX_GRANTS];
    for (uint32_t handle = 0, left = user->maptrack_used; left != 0 && handle < HV_MAX_MAPTRACK; handle++) {
        if (m[handle].flags == 0)
            continue;
        left--;
        if (m[handle].domid != d->domid)
            continue;
        uint32_t ref = m[handle].ref;
        if (ref >= entries_of(d) || active[ref].domid != user->domid || active[ref].frame != m[handle].frame)
            return validate_fail(c, "domain %u: mapping %u is of no grant", user->domid, handle);
        uint32_t unit = m[handle].flags & GNTMAP_readonly ? 1 : 1 << 8;
        pins[ref] += (m[handle].flags & GNTMAP_host_map ? unit : 0) + (m[handle].flags & GNTMAP_device_map ? unit << 16 : 0);
    }
    return true;
}

/* The handles in use are as many as the domain says, and lie in pages that are in use. */
static bool check_handles(struct validation *c, const struct domain *d)
{
    const struct hv *hv = c->hv;
    const struct maptrack *m = &hv->maptracks[(size_t)d->slot * HV_MAX_MAPTRACK];
    uint32_t left = d->maptrack_used, handle = 0;
    for (; left != 0 && handle < HV_MAX_MAPTRACK; handle++) {
        if (m[handle].flags == 0)
            continue;
        left--;
        if (m[handle].frame >= hv->s->frames || !owner_ok(m[handle].domid))
            return validate_fail(c, "domain %u: mapping %u is of no frame", d->domid, handle);
    }
    for (; handle < HV_MAX_MAPTRACK && (handle + 1) * sizeof *m % ENGINE_PAGE_SIZE != 0; handle++)
        left += m[handle].flags != 0;
    if (left != 0 || m[0].next > HV_MAX_MAPTRACK)
        return validate_fail(c, "domain %u: its mappings are not as many as it says", d->domid);
    return true;
}

bool validate_grants(struct validation *c, const struct domain *d)
{
    const struct hv *hv = c->hv;
    uint32_t *pins = calloc(HV_MAX_GRANTS, sizeof *pins);
    if (!pins)
        return validate_fail(c, "the host has no memory for the check");
    bool ok = check_handles(c, d);
    for (uint32_t slot = 0; ok && slot < hv->s->domain_slots; slot++)
        if (hv->s->domains[slot].used)
            ok = add_pins(c, d, &hv->s->domains[slot], pins);
    const struct active_grant *active = &hv->grants[(size_t)d->slot * HV_MAX_GRANTS];
    for (uint32_t ref = 0; ok && ref < entries_of(d); ref++)
        if (active[ref].pin != pins[ref] || (pins[ref] && active[ref].frame >= hv->s->frames))
            ok = validate_fail(c, "domain %u: grant %u is in use %#x times, its mappings say %#x", d->domid, ref,
                               active[ref].pin, pins[ref]);
    free(pins);
    return ok;
}
