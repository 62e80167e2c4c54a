/* trace.c - records that are made only while a trace asks for them: what moves between the traps.
 *
 * Nothing here changes what a run does: guest memory is only peeked at, and the list of ports that have been sent and not
 * delivered is a log like the records themselves.
 */
#include "evtchn.h"
#include "mm.h"

/* ---- hypercalls ---- */

void hv_trace_data(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint64_t nr, const uint64_t args[6])
{
    uint8_t bytes[EVIDENCE_DATA];
    uint64_t va;
    uint32_t length = hv_argument_area(nr, args, &va, sizeof bytes);

    length = (uint32_t)hv_peek(hv, v, bytes, va, length);
    for (uint32_t at = 0; at < length;) {
        struct trap_record *r = hv_log_record(hv, v, kind, 0);
        uint32_t part = length - at < sizeof r->args ? length - at : (uint32_t)sizeof r->args;

        r->address = va + at;
        r->number = part;
        memcpy(r->args, bytes + at, part);
        at += part;
    }
}

uint64_t hv_log_entry(struct hv *hv, const struct vcpu *v, uint64_t nr, const uint64_t args[6])
{
    hv->last.hypercall = nr;
    memcpy(hv->last.args, args, sizeof hv->last.args);
    return hv_tracing(hv, TRAP_LOG_ENTRY) ? hv_log_call(hv, v, TRAP_LOG_ENTRY, nr, args) : 0;
}

/* ---- events ---- */

/* Who sends: told by the kind of channel, and by whose hypercall it is. */
static void source_of(struct hv *hv, const struct domain *d, const struct evtchn *e, struct trap_record *r)
{
    uint16_t domid = e->state == ECS_INTERDOMAIN ? e->remote_domid : d->domid;
    bool here = hv->current && hv->current->domid == domid;

    if (e->state == ECS_VIRQ)
        r->args[0] = TRACE_FROM_VIRQ;
    else
        r->args[0] = hv_domain_by_id(hv, domid) ? TRACE_FROM_GUEST : TRACE_FROM_HOST;
    r->args[1] = domid;
    r->args[2] = here ? hv->current->id : TRACE_NOBODY;
    r->args[3] = e->remote_port;
}

static void remember(struct sent_ports *sent, uint32_t port)
{
    for (uint32_t i = 0; i < sent->count; i++)
        if (sent->ports[i] == port)
            return;
    if (sent->count < TRACE_PORTS)
        sent->ports[sent->count++] = port;
}

void hv_trace_send(struct hv *hv, const struct domain *d, uint32_t port)
{
    if (!hv_tracing(hv, TRAP_LOG_SEND))
        return;
    const struct evtchn *e = hv_evtchn(hv, d, port);
    const struct vcpu *target = hv_vcpu(hv, d, e->notify_vcpu);
    struct trap_record *r = hv_log_record(hv, target, TRAP_LOG_SEND, port);

    r->domid = d->domid;
    source_of(hv, d, e, r);
    r->args[4] = hv_evtchn_is_pending(hv, d, port);
    r->args[5] = hv->s->idle_ns;
    if (target)
        remember(&hv->traps.sent[target->slot], port);
}

/* Of the ports sent to the vcpu: those that are pending and not masked are what it is called for; those that are pending
 * no more have been seen by the guest without an upcall. */
void hv_trace_delivery(struct hv *hv, const struct vcpu *v, struct trap_record *record)
{
    struct sent_ports *sent = &hv->traps.sent[v->slot];
    const struct domain *d = hv_domain(hv, v);
    uint32_t kept = 0, ports[TRACE_PORTS] = {0};

    for (uint32_t i = 0; i < sent->count; i++) {
        uint32_t port = sent->ports[i];
        if (!hv_evtchn_is_pending(hv, d, port))
            continue;
        if (hv_evtchn_is_masked(hv, d, port))
            sent->ports[kept++] = port;
        else
            ports[record->number++] = port;
    }
    sent->count = kept;
    memcpy(record->args, ports, sizeof record->args);
}

/* ---- page tables, switches, devices ---- */

void hv_trace_entry(struct hv *hv, uint64_t table, unsigned slot, uint64_t old, uint64_t pte)
{
    if (!hv_tracing(hv, TRAP_LOG_PAGETABLE))
        return;
    uint32_t type = page_type(&hv->pages[table]);
    struct trap_record *r = hv_log_record(hv, hv->current, TRAP_LOG_PAGETABLE, type <= 4 ? type : 0);

    r->domid = hv->pages[table].owner;
    r->args[0] = table;
    r->args[1] = slot;
    r->args[2] = old;
    r->args[3] = pte;
}

void hv_trace_switch(struct hv *hv, uint32_t from, uint32_t to)
{
    if (!hv_tracing(hv, TRAP_LOG_SWITCH) || from == to)
        return;
    const struct vcpu *vcpus = hv->s->vcpus;
    struct trap_record *r = hv_log_record(hv, to < HV_MAX_VCPUS ? &vcpus[to] : NULL, TRAP_LOG_SWITCH, 0);

    r->args[0] = from < HV_MAX_VCPUS ? vcpus[from].domid : TRACE_NOBODY;
    r->args[1] = from < HV_MAX_VCPUS ? vcpus[from].id : TRACE_NOBODY;
    r->args[5] = hv->s->idle_ns;
}

void hv_trace_io(struct hv *hv, const struct vcpu *v, uint32_t port, uint32_t size, uint64_t value, bool write)
{
    if (!hv_tracing(hv, TRAP_LOG_IO))
        return;
    struct trap_record *r = hv_log_record(hv, v, TRAP_LOG_IO, port);

    r->error = size;
    r->args[0] = size < 8 ? value & ((1ull << 8 * size) - 1) : value;
    r->args[1] = write;
}
