/* grant.c - what is left of grants when a domain goes. Granting, mapping and copying are hv/grant*.py.
 *
 * Two tables speak of a mapping: the user's maptrack, and the granter's active entry, which counts it. So a user that
 * goes gives its counts back (its page tables let go of the frames themselves); and when a granter goes, the mappings
 * of its frames stay, as the frames do while somebody holds them, but they name no granter any more. A later domain
 * with the same number has nothing to do with them.
 */
#include "evtchn.h"
#include "p2m.h"
#include "../abi/grant_table.h"

enum { PER_PAGE_V1 = ENGINE_PAGE_SIZE / sizeof(struct grant_entry_v1), PER_PAGE_STATUS = ENGINE_PAGE_SIZE / 2,
       PER_PAGE_V2 = ENGINE_PAGE_SIZE / sizeof(union grant_entry_v2) };
/* Counters of active_grant.pin: hosts that read, hosts that write, devices that read, devices that write. */
#define PIN_WRITERS 0xff00ff00u

struct active_grant *hv_active_grant(struct hv *hv, const struct domain *d, uint32_t ref)
{
    return &hv->grants[(uint64_t)d->slot * HV_MAX_GRANTS + ref % HV_MAX_GRANTS];
}

struct maptrack *hv_maptrack(struct hv *hv, const struct domain *d, uint32_t handle)
{
    return &hv->maptracks[(uint64_t)d->slot * HV_MAX_MAPTRACK + handle % HV_MAX_MAPTRACK];
}

static uint32_t pin_units(uint32_t flags)
{
    uint32_t unit = flags & GNTMAP_readonly ? 1 : 1 << 8;

    return (flags & GNTMAP_host_map ? unit : 0) + (flags & GNTMAP_device_map ? unit << 16 : 0);
}

/* The halfword of a granter's pages that marks a reference as in use. NULL: it has none such. */
static uint16_t *in_use_mark(struct hv *hv, const struct domain *granter, uint32_t ref)
{
    if (granter->grant_version == 2)
        return ref / PER_PAGE_STATUS >= granter->grant_status_frames
            ? NULL
            : evtchn_shared(hv, granter->grant_status_frame[ref / PER_PAGE_STATUS], ref % PER_PAGE_STATUS * 2);
    return ref / PER_PAGE_V1 >= granter->grant_frames
        ? NULL
        : evtchn_shared(hv, granter->grant_frame[ref / PER_PAGE_V1],
                        ref % PER_PAGE_V1 * (uint32_t)sizeof(struct grant_entry_v1));
}

static void give_back(struct hv *hv, const struct domain *granter, const struct maptrack *m)
{
    struct active_grant *active = hv_active_grant(hv, granter, m->ref);
    uint16_t *mark = in_use_mark(hv, granter, m->ref), gone = 0;

    active->pin -= pin_units(m->flags);
    if (!(active->pin & PIN_WRITERS))
        gone |= GTF_writing;
    if (active->pin == 0)
        gone |= GTF_reading;
    if (mark != NULL && (*mark & gone))
        *mark &= (uint16_t)~gone;
}

/* References of a mapping that no page table holds: for devices, and in a physmap. Whoever owns the frame: the granter may be
 * gone. */
static void drop_references(struct hv *hv, const struct domain *user, const struct maptrack *m)
{
    if (m->flags & GNTMAP_device_map)
        p2m_put_grant(hv, m->flags, m->frame);
    if (m->flags & GNTMAP_host_map && p2m_of(hv, user) != NULL)
        p2m_put_grant(hv, m->flags, m->frame);
}

static void leave_as_user(struct hv *hv, struct domain *d)
{
    struct maptrack *m = hv_maptrack(hv, d, 0);

    for (uint32_t handle = 0; d->maptrack_used != 0 && handle < HV_MAX_MAPTRACK; handle++) {
        struct domain *granter;

        if (m[handle].flags == 0)
            continue;
        granter = hv_domain_by_id(hv, m[handle].domid);
        drop_references(hv, d, &m[handle]);
        if (granter != NULL)
            give_back(hv, granter, &m[handle]);
        memset(&m[handle], 0, sizeof(*m));
        d->maptrack_used--;
    }
    m[0].next = 0;
}

static void leave_as_granter(struct hv *hv, struct domain *d)
{
    struct active_grant *active = hv_active_grant(hv, d, 0);
    uint32_t entries = d->grant_frames * (d->grant_version == 2 ? PER_PAGE_V2 : PER_PAGE_V1);

    for (uint32_t slot = 0; slot < hv->s->domain_slots; slot++) {
        struct domain *user = &hv->s->domains[slot];
        struct maptrack *m = hv_maptrack(hv, user, 0);

        if (!user->used)
            continue;
        for (uint32_t handle = 0, left = user->maptrack_used; left != 0 && handle < HV_MAX_MAPTRACK; handle++) {
            left -= m[handle].flags != 0;
            if (m[handle].flags != 0 && m[handle].domid == d->domid)
                m[handle].domid = OWNER_NONE;
        }
    }
    memset(active, 0, entries * sizeof(*active));
}

bool hv_grants_mapped(struct hv *hv, const struct domain *d)
{
    for (uint32_t slot = 0; slot < hv->s->domain_slots; slot++) {
        struct domain *user = &hv->s->domains[slot];
        const struct maptrack *m = hv_maptrack(hv, user, 0);

        for (uint32_t handle = 0; user != d && user->maptrack_used != 0 && handle < HV_MAX_MAPTRACK; handle++)
            if (m[handle].flags != 0 && m[handle].domid == d->domid)
                return true;
    }
    return false;
}

void grant_destroy(struct hv *hv, struct domain *d)
{
    leave_as_user(hv, d);
    leave_as_granter(hv, d);
}
