/* traplog.c - the log of traps: what a crash report shows last and what `--trace` writes down.
 *
 * A record is made for every exception, hypercall and event that reaches the hypervisor, whoever answers it. Ordinarily
 * a few are kept (the ring stays in the cache). While tracing, the ring is long, and before it is full the running
 * cpu is asked to leave with EXIT_BUDGET so that the reader can empty it: that moves no instruction, for where a run
 * is interrupted never changes its result. The log is no part of the saved state.
 */
#include "hv.h"

enum { QUIET = 64, ROOM = 64 };

static uint32_t ring_size(const struct hv *hv) { return hv->traps.tracing ? HV_TRAP_RING : QUIET; }

struct trap_record *hv_log_trap(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint32_t number)
{
    struct trap_log *log = &hv->traps;
    uint32_t size = ring_size(hv);
    struct trap_record *r = &log->ring[log->made & (size - 1)];

    log->made++;
    if (log->made - log->read > size)
        log->read = log->made - size;
    else if (log->tracing && log->made - log->read >= HV_TRAP_RING - ROOM && hv->current)
        cpu_set_budget(hv_cpu_of(hv, hv->current), cpu_retired(hv_cpu_of(hv, hv->current)));
    struct cpu *cpu = hv_cpu_of(hv, v);
    *r = (struct trap_record){
        .when = hv->s->retired + (hv->current == v ? (uint64_t)cpu_retired(cpu) : 0),
        .rip = cpu_gprs(cpu)->rip,
        .domid = v->domid,
        .vcpu = v->id,
        .kind = kind,
        .number = number,
    };
    log->last[v->slot] = log->made;
    return r;
}

void hv_unlog_trap(struct hv *hv, const struct vcpu *v)
{
    struct trap_log *log = &hv->traps;

    log->made--;
    if (log->read > log->made)
        log->read = log->made;
    log->last[v->slot] = 0;
}

void hv_log_result(struct hv *hv, const struct vcpu *v, int64_t result)
{
    struct trap_log *log = &hv->traps;
    uint64_t at = log->last[v->slot];

    if (at == 0 || log->made - at >= ring_size(hv))
        return;
    struct trap_record *r = &log->ring[(at - 1) & (ring_size(hv) - 1)];
    if (r->kind != TRAP_LOG_HYPERCALL || r->vcpu != v->id || r->domid != v->domid)
        return;
    r->result = result;
    r->answered = 1;
}

void hv_traps_rewind(struct hv *hv, uint64_t when)
{
    struct trap_log *log = &hv->traps;

    while (log->made > log->read && log->ring[(log->made - 1) & (ring_size(hv) - 1)].when > when)
        log->made--;
}

void hv_trace(struct hv *hv, bool on)
{
    struct trap_log *log = &hv->traps;

    memset(log, 0, sizeof(*log));
    log->tracing = on;
}

uint32_t hv_trap_log(struct hv *hv, struct trap_record *out, uint32_t max)
{
    struct trap_log *log = &hv->traps;
    uint32_t n = 0;

    for (; n < max && log->read < log->made; n++, log->read++)
        out[n] = log->ring[log->read & (ring_size(hv) - 1)];
    return n;
}

void hv_statistics(struct hv *hv, uint32_t domain_slot, uint64_t traps[32], uint64_t hypercalls[64])
{
    memset(traps, 0, 32 * sizeof(*traps));
    memset(hypercalls, 0, 64 * sizeof(*hypercalls));
    if (domain_slot >= HV_MAX_DOMAINS)
        return;
    memcpy(traps, hv->trap_counts[domain_slot], sizeof(hv->trap_counts[0]));
    memcpy(hypercalls, hv->hypercall_counts[domain_slot], sizeof(hv->hypercall_counts[0]));
}
