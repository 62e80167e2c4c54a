/* evtchn.c - event channels: the hot half. Sending, masking, pending bits, and the two-level ABI.
 *
 * A channel is a struct evtchn in the arena; whether it is pending and masked is written in pages that the guest
 * shares and may scribble on at any time. So nothing here believes a shared bit for more than what the guest could
 * do to itself: a wrong bit makes the guest miss or repeat its own events, and reaches nothing else.
 *
 * Two-level ABI (xen/include/public/event_channel.h): shared_info has one pending and one mask bit a port;
 * vcpu_info.evtchn_pending_sel has one bit a word of pending bits; evtchn_upcall_pending asks for the upcall.
 */
#include "evtchn.h"
#include "arch.h"
#include "../abi/xen.h"
#include "../abi/event_channel.h"

static const struct shared_layout *layout_of(const struct domain *d)
{
    return hv_arch(d)->shared[d->narrow];
}

uint32_t hv_evtchn_capacity(const struct domain *d)
{
    uint32_t bits = layout_of(d)->bits;

    return d->fifo ? (uint32_t)HV_MAX_PORTS : bits * bits;
}

uint32_t hv_evtchn_limit(const struct domain *d)
{
    uint32_t known = (d->ports + EVTCHN_BUCKET - 1) / EVTCHN_BUCKET * EVTCHN_BUCKET;
    uint32_t capacity = hv_evtchn_capacity(d);

    if (known < EVTCHN_BUCKET)
        known = EVTCHN_BUCKET;
    return known < capacity ? known : capacity;
}

struct evtchn *hv_evtchn(struct hv *hv, const struct domain *d, uint32_t port)
{
    if (port >= hv_evtchn_limit(d))
        return NULL;
    return &hv->evtchns[(uint64_t)d->slot * HV_MAX_PORTS + port];
}

struct vcpu *evtchn_target(struct hv *hv, struct domain *d, const struct evtchn *e)
{
    return hv_vcpu(hv, d, e->notify_vcpu);
}

/* ---- vcpus ---- */

static struct vcpu_info *vcpu_info_of(struct hv *hv, const struct vcpu *v)
{
    return v->info_pa == 0 ? NULL
                           : evtchn_shared(hv, v->info_pa >> ENGINE_PAGE_SHIFT,
                                           (uint32_t)v->info_pa & (ENGINE_PAGE_SIZE - 1));
}

void hv_vcpu_kick(struct hv *hv, struct vcpu *v)
{
    if (!v->blocked)
        return;
    v->blocked = 0;
    v->polling = 0;              /* a poll ends with whatever wakes the vcpu */
    v->poll_port = 0;
    v->poll_deadline = 0;
    if (v->runstate == RS_BLOCKED)
        hv_runstate_set(hv, v, RS_RUNNABLE);
}

void hv_mark_events_pending(struct hv *hv, struct vcpu *v)
{
    struct vcpu_info *info = vcpu_info_of(hv, v);

    v->undisturbed = 0;
    if (info == NULL || info->evtchn_upcall_pending)
        return;
    info->evtchn_upcall_pending = 1;
    if (hv_arch_of(hv, v)->events_pending)
        hv_arch_of(hv, v)->events_pending(hv, v);
    hv_vcpu_kick(hv, v);         /* even when upcalls are masked: this is how SCHEDOP_poll sleepers wake */
}

bool hv_upcall_pending(struct hv *hv, const struct vcpu *v)
{
    const uint8_t *page = v->info_pa ? machine_frame(hv->m, v->info_pa >> ENGINE_PAGE_SHIFT) : NULL;

    return page != NULL && ((const struct vcpu_info *)(const void *)(page + (v->info_pa & (ENGINE_PAGE_SIZE - 1))))->evtchn_upcall_pending;
}

bool hv_event_deliverable(struct hv *hv, struct vcpu *v) { return hv_arch_of(hv, v)->can_wake(hv, v); }

void evtchn_check_pollers(struct hv *hv, struct domain *d, uint32_t port)
{
    for (uint32_t i = 0, seen = 0; seen < d->vcpu_count && i < HV_DOMAIN_VCPUS; i++) {
        struct vcpu *v = hv_vcpu(hv, d, i);

        if (v == NULL)
            continue;
        seen++;
        if (v->polling && (v->poll_port == 0 || v->poll_port == port))
            hv_vcpu_kick(hv, v);
    }
}

/* ---- two-level port operations ---- */

/* Bit `port` of one of the bitmaps of shared_info, set to `to` (or only read). Returns what it was. */
static bool shared_bit(struct hv *hv, const struct domain *d, uint32_t map, uint32_t port, int to)
{
    uint32_t offset = map + port / 8;
    uint8_t bit = (uint8_t)(1u << (port % 8)), *byte;
    bool was;

    if (to < 0) {
        const uint8_t *page = machine_frame(hv->m, d->shared_info_frame);
        return page != NULL && (page[offset] & bit) != 0;
    }
    byte = evtchn_shared(hv, d->shared_info_frame, offset);
    if (byte == NULL)
        return false;
    was = (*byte & bit) != 0;
    *byte = (uint8_t)(to ? *byte | bit : *byte & (uint8_t)~bit);
    return was;
}
enum { BIT_CLEAR = 0, BIT_SET = 1, BIT_READ = -1 };

/* Set the port's bit in its vcpu's selector word; when it is new, ask for the upcall. */
static void select_word(struct hv *hv, const struct shared_layout *layout, struct vcpu *v, uint32_t port)
{
    uint8_t *info = (uint8_t *)vcpu_info_of(hv, v);
    uint32_t word = port / layout->bits;
    uint8_t bit = (uint8_t)(1u << (word % 8));

    if (info == NULL || (info[layout->selector + word / 8] & bit) != 0)
        return;
    info[layout->selector + word / 8] |= bit;
    hv_mark_events_pending(hv, v);
}

static void twolevel_set_pending(struct hv *hv, struct domain *d, uint32_t port)
{
    const struct shared_layout *layout = layout_of(d);
    struct vcpu *v = evtchn_target(hv, d, hv_evtchn(hv, d, port));

    if (v == NULL || shared_bit(hv, d, layout->pending, port, BIT_SET))
        return;
    if (!shared_bit(hv, d, layout->mask, port, BIT_READ))
        select_word(hv, layout, v, port);
    evtchn_check_pollers(hv, d, port);
}

static void twolevel_unmask(struct hv *hv, struct domain *d, uint32_t port)
{
    const struct shared_layout *layout = layout_of(d);
    struct vcpu *v = evtchn_target(hv, d, hv_evtchn(hv, d, port));

    if (shared_bit(hv, d, layout->mask, port, BIT_CLEAR) && v != NULL
        && shared_bit(hv, d, layout->pending, port, BIT_READ))
        select_word(hv, layout, v, port);
}

/* ---- either ABI ---- */

void hv_evtchn_set_pending(struct hv *hv, struct domain *d, uint32_t port)
{
    if (hv_evtchn(hv, d, port) == NULL)
        return;
    hv->s->events_sent++;
    hv_trace_send(hv, d, port);
    if (hv_stops_on(hv, HV_STOP_EVENT))
        stops_event(hv, d, port);
    if (d->fifo)
        fifo_set_pending(hv, d, port);
    else
        twolevel_set_pending(hv, d, port);
}

void hv_evtchn_clear_pending(struct hv *hv, struct domain *d, uint32_t port)
{
    if (d->fifo)
        fifo_clear_pending(hv, d, port);
    else if (hv_evtchn(hv, d, port) != NULL)
        shared_bit(hv, d, layout_of(d)->pending, port, BIT_CLEAR);
}

void hv_evtchn_unmask(struct hv *hv, struct domain *d, uint32_t port)
{
    if (hv_evtchn(hv, d, port) == NULL)
        return;
    if (d->fifo)
        fifo_unmask(hv, d, port);
    else
        twolevel_unmask(hv, d, port);
}

bool hv_evtchn_is_pending(struct hv *hv, const struct domain *d, uint32_t port)
{
    if (d->fifo)
        return fifo_is_pending(hv, d, port);
    return hv_evtchn(hv, d, port) != NULL && shared_bit(hv, d, layout_of(d)->pending, port, BIT_READ);
}

bool hv_evtchn_is_masked(struct hv *hv, const struct domain *d, uint32_t port)
{
    if (d->fifo)
        return fifo_is_masked(hv, d, port);
    return hv_evtchn(hv, d, port) == NULL || shared_bit(hv, d, layout_of(d)->mask, port, BIT_READ);
}

bool hv_evtchn_is_busy(struct hv *hv, const struct domain *d, uint32_t port)
{
    return d->fifo && fifo_is_busy(hv, d, port);
}

struct domain *hv_find_domain(struct hv *hv, uint16_t domid) { return hv_domain_by_id(hv, domid); }
struct vcpu *hv_find_vcpu(struct hv *hv, const struct domain *d, uint64_t id) { return hv_vcpu(hv, d, id); }

void hv_send_virq(struct hv *hv, struct vcpu *v, uint32_t virq)
{
    if (virq < HV_VIRQS && v->virq_port[virq] != 0)
        hv_evtchn_set_pending(hv, hv_domain(hv, v), v->virq_port[virq]);
}

int hv_evtchn_send(struct hv *hv, struct domain *d, uint32_t port)
{
    const struct evtchn *e = hv_evtchn(hv, d, port);
    struct domain *remote;

    if (e == NULL)
        return (int)hv_refuse(hv, RULE_evtchn_port_range, port, hv_evtchn_limit(d), 0, 0);
    switch (e->state) {
    case ECS_INTERDOMAIN:
        remote = hv_domain_by_id(hv, e->remote_domid);
        if (remote == NULL)
            return HV_EVTCHN_HOST;
        hv_evtchn_set_pending(hv, remote, e->remote_port);
        return 0;
    case ECS_IPI:
        hv_evtchn_set_pending(hv, d, port);
        return 0;
    case ECS_UNBOUND:            /* nobody there yet: dropped silently, made good when somebody binds */
        return 0;
    default:
        return (int)hv_refuse(hv, RULE_evtchn_send_state, port, e->state, 0, 0);
    }
}

/* The domain goes: whoever was connected with it is unbound again, waiting for a domain of that number. */
void evtchn_destroy(struct hv *hv, struct domain *d)
{
    /* A priority can be set of any port that can be named, whether it was ever allocated or not. */
    uint32_t named = hv_evtchn_limit(d) > d->ports ? hv_evtchn_limit(d) : d->ports;

    for (uint32_t port = 0; port < named; port++) {
        struct evtchn *e = &hv->evtchns[(uint64_t)d->slot * HV_MAX_PORTS + port];
        struct domain *remote = e->state == ECS_INTERDOMAIN ? hv_domain_by_id(hv, e->remote_domid) : NULL;
        struct evtchn *other = remote == NULL ? NULL : hv_evtchn(hv, remote, e->remote_port);

        if (other != NULL && other->state == ECS_INTERDOMAIN) {
            other->state = ECS_UNBOUND;
            other->remote_port = 0;
        }
        memset(e, 0, sizeof(*e));
    }
    d->ports = 0;
}

/* EVTCHNOP_send and EVTCHNOP_unmask; the argument of both is one port number. */
int64_t do_event_channel_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    struct domain *d = hv_domain(hv, v);
    uint32_t port;
    int result;

    if (args[0] != EVTCHNOP_send && args[0] != EVTCHNOP_unmask)
        return HV_TO_PYTHON;
    if (hv_copy_from_guest(hv, v, &port, args[1], sizeof(port)) != 0)
        return hv_refuse(hv, RULE_bad_guest_pointer, args[1], sizeof(port), 0, 0);
    if (args[0] == EVTCHNOP_send) {
        result = hv_evtchn_send(hv, d, port);
        return result == HV_EVTCHN_HOST ? HV_TO_PYTHON : result;
    }
    if (hv_evtchn(hv, d, port) == NULL)
        return hv_refuse(hv, RULE_evtchn_port_range, port, hv_evtchn_limit(d), 0, 0);
    hv_evtchn_unmask(hv, d, port);
    return 0;
}
