/* traplog.c - the log of traps: what a crash report shows last and what a trace writes down.
 *
 * A record is made for every exception, hypercall and event that reaches the hypervisor, whoever answers it. Ordinarily
 * a few are kept (the ring stays in the cache). While tracing, the ring is long, more kinds of records are made (trace.c),
 * and before it is full the running cpu is asked to leave with EXIT_BUDGET so that the reader can empty it: that moves no
 * instruction, for where a run is interrupted never changes its result. The log is no part of the saved state.
 *
 * Invariants. A pointer to a record is good until the next one is made: what is known later (a result) finds its record by
 * number, if it still is in the ring. No record is written to after it has been read but one that waits for its result,
 * and a hypercall has its result when the cpu leaves.
 */
#include <stdlib.h>
#include "hv.h"
#include "../abi/xen.h"

enum { TRACE_RING = 1 << 15, TRACE_LEAVE = TRACE_RING / 2 };     /* records; how many may wait to be read */

static bool wanted(const struct trap_log *log, enum trap_kind kind, uint32_t number)
{
    if (!(log->filter.kinds >> kind & 1))
        return false;
    if (kind == TRAP_LOG_HYPERCALL || kind == TRAP_LOG_ENTRY)
        return log->filter.hypercalls >> (number < 63 ? number : 63) & 1;
    return kind != TRAP_LOG_EXCEPTION || log->filter.vectors >> (hv_trap_index(number)) & 1;
}

static struct trap_record *next_record(struct hv *hv)
{
    struct trap_log *log = &hv->traps;
    struct trap_record *r = &log->ring[log->made & log->mask];

    log->made++;
    if (log->made - log->read > log->mask + 1) {
        log->read++;
        log->lost += log->filter.kinds != 0;
    } else if (log->made - log->read >= TRACE_LEAVE && hv->current) {
        cpu_set_budget(hv_cpu_of(hv, hv->current), cpu_retired(hv_cpu_of(hv, hv->current)));
    }
    return r;
}

static void fill(struct hv *hv, struct trap_record *r, const struct vcpu *v, enum trap_kind kind, uint32_t number)
{
    *r = (struct trap_record){
        .when = hv_retired(hv),
        .rip = v ? cpu_pc(hv_cpu_of(hv, v)) : 0,
        .domid = v ? v->domid : TRACE_NOBODY,
        .vcpu = v ? v->id : TRACE_NOBODY,
        .kind = (uint8_t)kind,
        .type = v ? (uint8_t)hv_domain(hv, v)->type : 0,
        .number = number,
    };
}

struct trap_record *hv_log_record(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint32_t number)
{
    struct trap_record *r = next_record(hv);

    fill(hv, r, v, kind, number);
    return r;
}

struct trap_record *hv_log_trap(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint32_t number)
{
    struct trap_log *log = &hv->traps;
    bool quiet = log->filter.kinds == 0;

    if (!quiet && !wanted(log, kind, number)) {
        log->last[v->slot] = 0;
        fill(hv, &log->unwanted, v, kind, number);
        return &log->unwanted;
    }
    struct trap_record *r = hv_log_record(hv, v, kind, number);
    log->last[v->slot] = log->made;
    return r;
}

void hv_unlog_trap(struct hv *hv, const struct vcpu *v)
{
    struct trap_log *log = &hv->traps;

    if (log->last[v->slot] == 0)
        return;
    log->made = log->last[v->slot] - 1;
    if (log->read > log->made)
        log->read = log->made;
    log->last[v->slot] = 0;
}

/* The record of that number (counted from 1), NULL when it has left the ring. */
static struct trap_record *find(struct trap_log *log, uint64_t at)
{
    return at == 0 || log->made - at > log->mask ? NULL : &log->ring[(at - 1) & log->mask];
}

uint64_t hv_log_call(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint64_t nr, const uint64_t args[6])
{
    struct trap_record *r = hv_log_trap(hv, v, kind, nr < UINT32_MAX ? (uint32_t)nr : UINT32_MAX);
    uint64_t at = hv->traps.last[v->slot];

    memcpy(r->args, args, sizeof r->args);
    if (at != 0 && hv_tracing(hv, TRAP_LOG_DATA))
        hv_trace_data(hv, v, TRAP_LOG_DATA, nr, args);
    return at;
}

void hv_log_answer(struct hv *hv, uint64_t record, int64_t result)
{
    struct trap_record *r = find(&hv->traps, record);

    if (r) {
        r->result = result;
        r->answered = 1;
    }
}

void hv_log_result(struct hv *hv, const struct vcpu *v, int64_t result)
{
    uint64_t at = hv->traps.last[v->slot];
    const struct trap_record *r = find(&hv->traps, at);

    if (!r || r->vcpu != v->id || r->domid != v->domid)
        return;
    /* What is served in a multicall is not the multicall's own result. */
    if (r->kind == TRAP_LOG_ENTRY || (r->kind == TRAP_LOG_HYPERCALL && r->number != __HYPERVISOR_multicall))
        hv_log_answer(hv, at, result);
}

void hv_log_output(struct hv *hv, const struct vcpu *v)
{
    const struct trap_record *r = find(&hv->traps, hv->traps.last[v->slot]);
    uint64_t args[6];

    if (!r || !r->answered || r->result < 0 || !hv_tracing(hv, TRAP_LOG_OUTPUT))
        return;
    memcpy(args, r->args, sizeof args);
    hv_trace_data(hv, v, TRAP_LOG_OUTPUT, r->number, args);
}

void hv_log_refusal(struct hv *hv, const struct vcpu *v, uint32_t rule, const uint64_t facts[4])
{
    if (!hv_tracing(hv, TRAP_LOG_REFUSED) || hv->traps.last[v->slot] == 0)
        return;
    memcpy(hv_log_record(hv, v, TRAP_LOG_REFUSED, rule)->args, facts, 4 * sizeof facts[0]);
}

void hv_traps_rewind(struct hv *hv, uint64_t when)
{
    struct trap_log *log = &hv->traps;

    while (log->made > log->read && log->ring[(log->made - 1) & log->mask].when > when)
        log->made--;
    memset(log->sent, 0, sizeof log->sent);
}

int hv_trace(struct hv *hv, const struct trace_filter *filter)
{
    struct trap_log *log = &hv->traps;
    struct trap_record *ring = NULL;

    if (filter && filter->kinds && !(ring = malloc(TRACE_RING * sizeof *ring)))
        return -ENOMEM;
    if (log->ring != log->quiet)
        free(log->ring);
    memset(log, 0, sizeof(*log));
    log->ring = ring ? ring : log->quiet;
    log->mask = (ring ? (uint64_t)TRACE_RING : HV_QUIET_RING) - 1;
    if (ring)
        log->filter = *filter;
    return 0;
}

const struct trap_record *hv_trap_window(struct hv *hv, uint32_t *count)
{
    const struct trap_log *log = &hv->traps;
    uint64_t at = log->read & log->mask, waiting = log->made - log->read, room = log->mask + 1 - at;

    *count = (uint32_t)(waiting < room ? waiting : room);
    return &log->ring[at];
}

void hv_trap_consume(struct hv *hv, uint32_t count)
{
    struct trap_log *log = &hv->traps;

    log->read += count < log->made - log->read ? count : log->made - log->read;
}

uint64_t hv_trap_waiting(const struct hv *hv) { return hv->traps.made - hv->traps.read; }
uint64_t hv_trap_lost(const struct hv *hv) { return hv->traps.lost; }

uint32_t hv_trap_log(struct hv *hv, struct trap_record *out, uint32_t max)
{
    uint32_t n = 0;

    while (n < max && hv_trap_waiting(hv) != 0) {
        uint32_t count;
        const struct trap_record *from = hv_trap_window(hv, &count);

        count = count < max - n ? count : max - n;
        memcpy(out + n, from, count * sizeof *out);
        hv_trap_consume(hv, count);
        n += count;
    }
    return n;
}

void hv_statistics(struct hv *hv, uint32_t domain_slot, uint64_t traps[HV_TRAPS], uint64_t hypercalls[64])
{
    memset(traps, 0, HV_TRAPS * sizeof(*traps));
    memset(hypercalls, 0, 64 * sizeof(*hypercalls));
    if (domain_slot >= HV_MAX_DOMAINS)
        return;
    memcpy(traps, hv->trap_counts[domain_slot], sizeof(hv->trap_counts[0]));
    memcpy(hypercalls, hv->hypercall_counts[domain_slot], sizeof(hv->hypercall_counts[0]));
}
