/* hv.h - what the C files of native/xen share. Not seen by Python. */
#ifndef XENLAB_HV_H
#define XENLAB_HV_H
#include <errno.h>
#include <string.h>
#include "xen.h"

enum { HV_REFUSAL_LOG = 4096, HV_QUIET_RING = 64 };

/* The log of traps (traplog.c). `made` and `read` count records since the start. */
struct trap_log {
    uint64_t made, read, lost;
    uint64_t last[HV_MAX_VCPUS];     /* 1 + number of each vcpu's latest exception, call or delivery; 0: none */
    uint64_t mask;                   /* size of the ring - 1 */
    struct trap_record *ring;        /* `quiet`, or a long one while tracing */
    struct trace_filter filter;      /* kinds 0: quiet */
    struct sent_ports { uint32_t count, ports[TRACE_PORTS]; } sent[HV_MAX_VCPUS];   /* and not delivered yet (trace.c) */
    struct trap_record unwanted;     /* what a filter keeps out is written here */
    struct trap_record quiet[HV_QUIET_RING];
};

/* Stop points (stops.c). */
struct hv_stops {
    struct hv_stop point[HV_STOPS_MAX];
    uint32_t count;
    uint32_t kinds;                  /* bit HV_STOP_x: there is one of that kind */
    uint64_t before;                 /* 0: stop; else note the last that was met at a count below this */
    bool met;
    struct hv_stop_hit hit;
    struct hv_stop_passed passed[HV_STOPS_MAX];
    uint32_t passed_count;
};

/* Rules, numbered in the order of rules.def. RULE(id, errno, facts, sentence) */
enum rule {
    RULE_none = 0,
#define RULE(id, err, facts, text) RULE_##id,
#include "../abi/rules.def"
#undef RULE
    RULE_COUNT
};

struct hv {
    struct machine *m;
    struct hv_state *s;
    struct page_info *pages;
    struct evtchn *evtchns;          /* [HV_MAX_DOMAINS][HV_MAX_PORTS] */
    struct active_grant *grants;     /* [HV_MAX_DOMAINS][HV_MAX_GRANTS] */
    struct maptrack *maptracks;      /* [HV_MAX_DOMAINS][HV_MAX_MAPTRACK] */
    struct engine_ops ops[HV_KINDS]; /* what each kind of processor asks (hv_run.c) */
    struct cpu *cpus[HV_MAX_VCPUS];
    enum cpu_model models[HV_MAX_VCPUS];     /* what each of them is */
    struct vcpu *current;            /* vcpu in hv_run(), NULL outside */
    uint64_t began;                  /* count at which the instruction, or what is delivered before it, began (stops.c) */
    bool tlb_stale;                  /* a page table changed: flush before the next guest instruction */
    struct turns { uint64_t quantum, seed; bool round_robin; } turns;      /* hv_set_turns() */
    uint64_t mm_work;                /* page-table entries examined by the current hypercall */
    uint64_t mm_work_limit;          /* how many before it asks for a continuation */
    struct vcpu *mm_vcpu;            /* whose hypercall may be interrupted for that; NULL: work runs to its end */
    struct refusal last;             /* of the hypercall being answered */
    struct refusal log[HV_REFUSAL_LOG];
    uint32_t log_head, log_tail;
    const char *crash_reason;        /* why a domain was last crashed by the hypervisor */
    uint64_t hypercall_counts[64][64];   /* [domain slot][number]: statistics only */
    uint64_t trap_counts[64][HV_TRAPS];
    uint64_t rule_counts[RULE_COUNT];    /* refusals by rule: statistics only */
    struct trap_log traps;
    struct evidence *evidence;       /* [HV_REFUSAL_LOG], beside log[]; NULL: none is kept */
    struct hv_stops stops;           /* of a debugger: no part of the state */
    /* ---- caches of x86 (x86/machine.c) ---- */
    struct decode_cache *decode;
    struct code_page { uint64_t root, page; const uint8_t *host; } code_page;   /* decode.c; dropped with the TLBs */
    const struct vcpu *walker;       /* whose page tables hvm_translate() is in */
    uint32_t paging;                 /* HV_PAGING_* */
    struct shadows *shadows;         /* NULL: not made yet, or none are wanted (hvm/shadow.h) */
};

/* Refuse: remember the rule and up to four facts, return -errno of the rule. */
int64_t hv_refuse(struct hv *hv, enum rule rule, uint64_t f0, uint64_t f1, uint64_t f2, uint64_t f3);

/* A hypercall answered in C. Returns the guest's result, or one of the two below. `args` may be changed for a retry. */
typedef int64_t hypercall_fn(struct hv *hv, struct vcpu *v, uint64_t args[6]);
#define HV_TO_PYTHON INT64_MIN           /* not for C: leave with EXIT_HYPERCALL */
#define HV_RETRY (INT64_MIN + 1)         /* continuation: args are updated, execute the instruction again */
#define HV_DONE (INT64_MIN + 2)          /* the registers are final: no result is written */
#define HV_LEAVE (INT64_MIN + 3)         /* so they are here; leave with the exit record that the function filled in */
#define HV_SAME_CALL (~UINT64_C(0))

static inline struct domain *hv_domain(struct hv *hv, const struct vcpu *v) { return &hv->s->domains[v->domain_slot]; }
static inline struct domain *hv_domain_by_id(struct hv *hv, uint16_t domid)
{
    for (unsigned i = 0; i < hv->s->domain_slots; i++)
        if (hv->s->domains[i].used && hv->s->domains[i].domid == domid)
            return &hv->s->domains[i];
    return NULL;
}
/* The vcpu with this number, NULL when the domain has none. Checks the guest's number. */
static inline struct vcpu *hv_vcpu(struct hv *hv, const struct domain *d, uint64_t id)
{
    if (id >= HV_DOMAIN_VCPUS || d->vcpu_slot[id] == HV_NO_SLOT)
        return NULL;
    return &hv->s->vcpus[d->vcpu_slot[id]];
}
static inline struct cpu *hv_cpu_of(struct hv *hv, const struct vcpu *v) { return hv->cpus[v->slot]; }
/* Instructions retired up to this moment, those of a run that is going on included: hv_state.retired knows them only when
 * the run is over, and where it began must not show. */
static inline uint64_t hv_retired(struct hv *hv)
{
    return hv->s->retired + (hv->current ? (uint64_t)cpu_retired(hv_cpu_of(hv, hv->current)) : 0);
}

/* Have a cpu answer to the kind of guest that it runs, enum hv_kind. 0, -ENOMEM, -EINVAL (there is no such kind) */
int hv_bind_cpu(struct hv *hv, struct cpu *cpu, uint32_t kind);
void hv_bind_ops(struct hv *hv);
/* A cpu for an empty vcpu slot, bound. 0, -ENOMEM, -ENOSYS (as cpu_create()) */
struct arch;
int hv_make_cpu(struct hv *hv, uint32_t slot, const struct arch *arch);
/* The domain is crashed, and the vcpu leaves hv_run() with EXIT_SHUTDOWN. Always false, for `return hv_crash(...)`. */
bool hv_crash(struct hv *hv, struct vcpu *v, const char *why);

/* Log a trap as it arrives; the caller fills in address, error, args and emulated of the record. (traplog.c) */
static inline unsigned hv_trap_index(uint32_t number) { return number < HV_TRAPS ? number : HV_TRAPS - 1; }
struct trap_record *hv_log_trap(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint32_t number);
/* Take the vcpu's latest record back: the instruction will trap again when it has been decoded. */
void hv_unlog_trap(struct hv *hv, const struct vcpu *v);
/* Forget the records not read yet that were made after `when` retired instructions. */
void hv_traps_rewind(struct hv *hv, uint64_t when);

/* Which parts of the arena are in use (snapshot.c); how many. Four of the root, four of each domain, and what vcpus have beside,
 * once a kind. */
enum { HV_SPANS_MAX = 4 + 4 * HV_MAX_DOMAINS + HV_KINDS };
uint32_t hv_spans_in_use(const struct hv *hv, struct arena_span spans[HV_SPANS_MAX]);
/* Where the tables lie in the arena of a machine of this size, and the version of the layout, filled in where all was zero; returns
 * its size. (hv.c) */
uint64_t hv_lay_out(struct hv_state *s, uint64_t frames);

/* A hypercall arrives: where hv_log_answer() finds its record. */
uint64_t hv_log_call(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint64_t nr, const uint64_t args[6]);
void hv_log_answer(struct hv *hv, uint64_t record, int64_t result);
/* Python has served the vcpu's hypercall, and its result is logged: for a trace, what it wrote to the guest's memory. */
void hv_log_output(struct hv *hv, const struct vcpu *v);
/* A record of one of the kinds that are made only when wanted: ask hv_tracing() first. `v` may be NULL. */
struct trap_record *hv_log_record(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint32_t number);
static inline bool hv_tracing(const struct hv *hv, enum trap_kind kind) { return hv->traps.filter.kinds >> kind & 1; }

/* ---- trace.c: the kinds of records that only a trace has; each does nothing unless its kind is wanted ---- */
void hv_trace_send(struct hv *hv, const struct domain *d, uint32_t port);
void hv_trace_delivery(struct hv *hv, const struct vcpu *v, struct trap_record *record);
void hv_trace_entry(struct hv *hv, uint64_t table, unsigned slot, uint64_t old, uint64_t pte);
void hv_trace_switch(struct hv *hv, uint32_t from, uint32_t to);
void hv_trace_io(struct hv *hv, const struct vcpu *v, uint32_t port, uint32_t size, uint64_t value, bool write);
void hv_trace_data(struct hv *hv, const struct vcpu *v, enum trap_kind kind, uint64_t nr, const uint64_t args[6]);
/* An entry of a multicall begins: refusals and records speak of it from now on. Where hv_log_answer() finds its record. */
uint64_t hv_log_entry(struct hv *hv, const struct vcpu *v, uint64_t nr, const uint64_t args[6]);

/* ---- evidence.c ---- */
/* The memory that a hypercall's arguments point to: its address, and how much of it is worth a copy (at most `max`). */
uint32_t hv_argument_area(uint64_t nr, const uint64_t args[6], uint64_t *va, uint32_t max);

/* ---- stops.c; each asks for itself whether anything is set ---- */
static inline bool hv_stops_on(const struct hv *hv, enum hv_stop_kind kind) { return hv->stops.kinds >> kind & 1; }
/* A stop point that ends the run has been met. */
static inline bool stops_met(const struct hv *hv) { return hv->stops.met && !hv->stops.before; }
bool stops_breakpoint(void *ctx, struct cpu *cpu, uint64_t pc);
bool stops_watched(void *ctx, struct cpu *cpu, const struct touch *touches, uint32_t count);
/* Hypercall `nr` is about to be made, its first argument being `sub`, the count and rip its own. true: leave before it. */
bool stops_hypercall(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t sub);
/* An exception has come. true: leave. */
bool stops_trap(struct hv *hv, struct vcpu *v, const struct trap *trap);
void stops_event(struct hv *hv, const struct domain *d, uint32_t port);
/* The hypervisor writes to the guest's memory. */
void stops_copied(struct hv *hv, const struct vcpu *v, uint64_t va, uint64_t len);

/* ---- mm*.c: frames and page types ---- */
/* hv_create: frame 0 and the machine-to-phys table. hv_state.frames, page_offset and hv->pages are set already. */
int mm_init(struct hv *hv);
/* hv_domain_destroy: drop all that the vcpu (the domain) holds; frames that others still map stay until they let go. */
void mm_vcpu_destroy(struct hv *hv, struct vcpu *v);
void mm_domain_destroy(struct hv *hv, struct domain *d);
/* What an audit finds: how many differences, the first one described in `text`, which has `len` bytes. */
struct differences { uint64_t count, len; char *text; };
void hv_differ(struct differences *found, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- evtchn*.c, grant*.c ---- */
hypercall_fn do_event_channel_op, do_vcpu_op, do_set_timer_op, do_multicall;   /* hot sub-operations; the rest HV_TO_PYTHON */

/* ---- calls.c ---- */
/* The vcpu makes a hypercall (the program counter behind the instruction) from this ring; whether it goes on. */
bool hv_make_call(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t args[6], unsigned ring);
/* Fill in the exit record for a hypercall that Python serves. */
void hv_call_to_python(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t args[6], uint64_t aux);
/* The hypercall's result is `result`, and the vcpu leaves: HV_LEAVE. */
int64_t hv_leave(struct hv *hv, struct vcpu *v, enum exit_reason reason, int64_t result);
/* vcpu_info.evtchn_upcall_pending. (evtchn.c) */
bool hv_upcall_pending(struct hv *hv, const struct vcpu *v);
/* Does the vcpu's hypercall come from 64-bit code? */
bool hv_wide_call(struct hv *hv, const struct vcpu *v);
/* The vcpu's hypercall, itself no part of a multicall, has ended: put its result where the caller finds it. */
void hv_set_result(struct hv *hv, const struct vcpu *v, int64_t result);
/* The vcpu's run states as its domain sees them, up to the last change; how many bytes. */
enum { RUNSTATE_BYTES = 48 };
uint32_t hv_runstate_image(const struct domain *d, const struct vcpu *v, uint8_t out[RUNSTATE_BYTES]);
/* ---- schedule.c: nobody's turn goes on; put on the processor whose is next, if that is decided here. HV_NO_SLOT: it is not, or
 * nobody can run. ---- */
uint32_t hv_next_turn(struct hv *hv);
/* ---- timer.c: is a timer of some device due? ---- */
bool hv_device_due(struct hv *hv);
/* hv_domain_destroy: before the domain's memory goes. */
void evtchn_destroy(struct hv *hv, struct domain *d);
void grant_destroy(struct hv *hv, struct domain *d);

#endif
