/* xen.h - the C side of the hypervisor as Python sees it (also preprocessed into cffi).
 *
 * `struct hv` ties the machine, the arena and the cpus together. It holds nothing that a run changes and that is not
 * in the arena, apart from caches and the log of refusals.
 */
#ifndef XENLAB_XEN_H
#define XENLAB_XEN_H
#include "../engine/engine.h"
#include "vga.h"
#include "state.h"

struct hv;

enum { HV_NO_HYPERCALL = 0xffff };   /* refusal.hypercall: an emulated instruction was refused, args[0] is its address */
/* A refusal: which rule of native/abi/rules.def said no, and the numbers that it spoke of. */
struct refusal {
    uint64_t when;            /* retired instructions */
    uint16_t domid, vcpu;
    uint32_t rule;            /* index into rules.def; 0: none */
    uint64_t hypercall;
    uint64_t args[6];
    uint64_t facts[4];
    int64_t result;
};

/* The log of traps, in the order they came (docs/trace.md has the fields of each kind). The first four kinds are always
 * logged, the last few of them kept; the others are made only while a trace asks for them. */
enum trap_kind {
    TRAP_LOG_EXCEPTION = 1, TRAP_LOG_HYPERCALL, TRAP_LOG_EVENT, TRAP_LOG_NMI,
    TRAP_LOG_ENTRY,           /* a hypercall that is an entry of a multicall */
    TRAP_LOG_DATA,            /* memory that the hypercall before it points to: address, length in number, bytes in args */
    TRAP_LOG_OUTPUT,          /* the same memory as it is when Python has answered */
    TRAP_LOG_REFUSED,         /* the rule (number) that refuses the vcpu's last call, its facts in args */
    TRAP_LOG_SEND,            /* an event channel (number: port of domid) is made pending */
    TRAP_LOG_PAGETABLE,       /* args: table, slot, old and new entry; number: level, 0 for a frame that is no table */
    TRAP_LOG_SWITCH,          /* who goes on the processor; args: domid and vcpu of who leaves it */
    TRAP_LOG_IO,              /* port access: number; size in error; args: value, 1 for a write */
    TRAP_LOG_POWER,           /* a call of the firmware's interface to power (PSCI): number; args: its arguments; result */
    TRAP_LOG_KINDS
};
struct trap_record {
    uint64_t when;            /* retired instructions of all vcpus */
    uint64_t rip;             /* as the guest sees it: behind a hypercall, at a fault */
    uint64_t address;         /* CR2 of a page fault */
    uint64_t args[6];         /* of a hypercall */
    int64_t result;           /* of a hypercall, once `answered` */
    uint32_t number;          /* vector, or hypercall number */
    uint32_t error;           /* error code of an exception that has one */
    uint16_t domid, vcpu;     /* TRACE_NOBODY: none */
    uint8_t kind;             /* enum trap_kind */
    uint8_t answered;
    uint8_t emulated;         /* the exception was dealt with here: the guest never saw it */
    uint8_t type;             /* enum domain_type of the domain: whose exceptions `number` counts */
};
enum { TRACE_NOBODY = 0xffff };
/* Who made a channel pending: args[0] of TRAP_LOG_SEND. args: source, its domid, vcpu and port (or the virq), whether the
 * port was pending already, ns of idle time so far; `address`: where the upcall goes. */
enum trace_source { TRACE_FROM_GUEST = 1, TRACE_FROM_VIRQ, TRACE_FROM_HOST };
/* TRAP_LOG_EVENT while SENDs are traced: `number` ports in args, 32 bits each, that were sent since and are delivered. */
enum { TRACE_PORTS = 12 };

/* What a trace asks for: kinds by bit, of exceptions and hypercalls also which (63: all from there). */
struct trace_filter { uint64_t vectors, hypercalls; uint32_t kinds, pad; };
/* Exceptions are counted by vector, or by exception class; the last counts all from there. */
enum { HV_TRAPS = 64 };
/* Keep every record of these kinds until it is read; NULL: only the last few of the first four. Forgets what there is.
 * 0 or -ENOMEM. */
int hv_trace(struct hv *hv, const struct trace_filter *filter);
/* The records not read so far, oldest first, at most `max`; how many. */
uint32_t hv_trap_log(struct hv *hv, struct trap_record *out, uint32_t max);
/* The same in place: the longest piece of them, `*count` records. It is good until the hypervisor runs on. */
const struct trap_record *hv_trap_window(struct hv *hv, uint32_t *count);
/* So many of them have been read. */
void hv_trap_consume(struct hv *hv, uint32_t count);
/* How many wait to be read, and how many were overwritten before they could be. */
uint64_t hv_trap_waiting(const struct hv *hv);
uint64_t hv_trap_lost(const struct hv *hv);
/* A Python handler refuses the vcpu's hypercall by a rule (rules.def), for the trace. */
void hv_log_refusal(struct hv *hv, const struct vcpu *v, uint32_t rule, const uint64_t facts[4]);
/* The result of the hypercall that the vcpu made last, for the log (C does it for the calls that it answers). */
void hv_log_result(struct hv *hv, const struct vcpu *v, int64_t result);

/* How often each exception (by vector) and hypercall (by number) came, of one domain; whoever answered them. */
void hv_statistics(struct hv *hv, uint32_t domain_slot, uint64_t traps[HV_TRAPS], uint64_t hypercalls[64]);

int hv_create(struct hv **out, uint64_t frames);
void hv_destroy(struct hv *hv);
struct machine *hv_machine(struct hv *hv);
struct hv_state *hv_state(struct hv *hv);
struct page_info *hv_pages(struct hv *hv);
struct cpu *hv_cpu(struct hv *hv, uint32_t vcpu_slot);

/* system time in ns, exact at the current instruction */
uint64_t hv_now(struct hv *hv);

/* why the hypervisor crashed a domain last: one sentence, NULL when it never did */
const char *hv_crash_reason(struct hv *hv);

/* domains and vcpus: slots only, no policy. -ENOSPC, -EEXIST. Returns the slot. */
int hv_domain_create(struct hv *hv, uint16_t domid, uint32_t type, uint64_t max_pages);
void hv_domain_destroy(struct hv *hv, uint32_t slot);
/* Whether another domain maps a frame by a grant of this one's. */
bool hv_grants_mapped(struct hv *hv, const struct domain *d);
/* A domain that has ended becomes as hv_domain_create() makes one, in its slot and with its number, without vcpus. 0, -EINVAL;
 * -EAGAIN, changing nothing: others map frames of it by grants; -EBUSY: by other means. Then it has nothing left, and stays so. */
int hv_domain_renew(struct hv *hv, uint32_t slot, uint32_t type, uint64_t max_pages);
int hv_vcpu_create(struct hv *hv, uint32_t domain_slot, uint32_t id);
/* What is remembered of a grant that is in use, and of a mapping; the numbers are below HV_MAX_GRANTS, HV_MAX_MAPTRACK. */
struct active_grant *hv_active_grant(struct hv *hv, const struct domain *d, uint32_t ref);
struct maptrack *hv_maptrack(struct hv *hv, const struct domain *d, uint32_t handle);
struct domain *hv_find_domain(struct hv *hv, uint16_t domid);                    /* NULL: there is none */
struct vcpu *hv_find_vcpu(struct hv *hv, const struct domain *d, uint64_t id);   /* NULL: there is none */

/* run one vcpu; delivers pending events first. Returns enum exit_reason. */
int hv_run(struct hv *hv, uint32_t vcpu_slot, int64_t budget, struct cpu_exit *exit);

/* A hypercall that C serves, as the vcpu would make it: for tests and fuzzers. INT64_MIN + 1: a continuation (args are
 * updated, call again); INT64_MIN: Python's to serve. */
int64_t hv_hypercall(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t args[6]);

/* The turn of the vcpu on the processor: hv_run() with timers expired and budgets computed, again and again until Python
 * is needed (with `once`: after each hv_run). Stops at `limit` retired instructions and at system time `end_ns`. Returns
 * enum exit_reason, or one of these; the vcpu that ran is hv_state.running. */
/* OVER: the scheduler must choose. DEVICE: a device's timer is due (hv_take_timer()). */
enum { HV_TURN_LIMIT = 100, HV_TURN_TIME, HV_TURN_OVER, HV_TURN_DEVICE };
int hv_run_turn(struct hv *hv, uint64_t limit, uint64_t end_ns, bool once, struct cpu_exit *exit);
/* Python has served a hypercall: log its result and store it where the guest looks, or in the multicall's entry. */
void hv_answer(struct hv *hv, struct vcpu *v, int64_t result, bool in_multicall);
/* The same for a continuation: the guest makes the call again, with these arguments. */
void hv_answer_again(struct hv *hv, struct vcpu *v, const uint64_t args[6], bool in_multicall);

/* What a refusal can be understood by later: where the guest was, its stack, and what its call pointed to. */
enum { EVIDENCE_DATA = 192, EVIDENCE_STACK = 2048 };
struct evidence {
    struct x86_gprs registers;
    uint64_t arm_registers[33];              /* x0..x30 (r0..r14), sp, pc */
    uint64_t data_va;
    uint32_t data_length, stack_length;      /* bytes that could be read */
    uint8_t data[EVIDENCE_DATA];
    uint8_t stack[EVIDENCE_STACK];           /* from its pointer up */
};
/* Keep evidence with each refusal from now on, or no longer. 0 or -ENOMEM. */
int hv_keep_evidence(struct hv *hv, bool on);
/* The evidence of the refusals that hv_refusals() will return next; 0: none is kept. */
uint32_t hv_refusal_evidence(struct hv *hv, struct evidence *out, uint32_t max);
/* The evidence as it is now, for a call that Python refuses. */
void hv_take_evidence(struct hv *hv, const struct vcpu *v, uint64_t nr, const uint64_t args[6], struct evidence *out);
/* Guest memory by linear address with the rights of the vcpu's mode, as far as it is mapped: how many bytes. Unlike a copy it
 * leaves no trace in the guest's page tables. */
uint64_t hv_peek(struct hv *hv, const struct vcpu *v, void *out, uint64_t va, uint64_t len);

/* the refusals logged since the last call, oldest first */
uint32_t hv_refusals(struct hv *hv, struct refusal *out, uint32_t max);
/* how often each rule refused in C, by its number; returns how many numbers there are */
uint32_t hv_rule_counts(struct hv *hv, uint64_t *out, uint32_t max);

/* guest memory by linear address, with the rights of the vcpu's current mode; 0 or -EFAULT */
int hv_copy_from_guest(struct hv *hv, struct vcpu *v, void *out, uint64_t va, uint64_t len);
int hv_copy_to_guest(struct hv *hv, struct vcpu *v, uint64_t va, const void *data, uint64_t len);
/* The same with the rights of the guest's kernel, whatever the vcpu is running now: areas that a kernel registered. */
int hv_copy_to_guest_kernel(struct hv *hv, struct vcpu *v, uint64_t va, const void *data, uint64_t len);

/* frames */
uint64_t hv_alloc_frame(struct hv *hv, uint16_t owner);           /* zeroed; ~0: none left */
void hv_free_frame(struct hv *hv, uint64_t frame);
/* The same for `count` frames at once, lowest first; returns how many there were. Both keep tot_pages of the owner. */
uint64_t hv_alloc_frames(struct hv *hv, uint16_t owner, uint64_t count, uint64_t *out);
/* 2^order frames in a row, aligned to their number, below 2^address_bits bytes (0: anywhere): the lowest such. ~0: there
 * are none, or (unless `replace`: others will be given back for them) the domain would own more than max_pages. */
uint64_t hv_alloc_extent(struct hv *hv, struct domain *d, uint32_t order, uint32_t address_bits, bool replace);
/* The domain gives a frame back: its pin and its own reference go. 0, -EINVAL (no such frame), -ENXIO (not its memory) */
int hv_release_frame(struct hv *hv, struct domain *d, uint64_t mfn);
/* Whether the domain owns the frame and nothing refers to it in any way. */
bool hv_frame_unused(struct hv *hv, const struct domain *d, uint64_t mfn);
/* A back end of the host begins to use the domain's store or console page (enum host_ring): a reference and a writable
 * type reference, until the domain goes, so that what the host writes can reach neither another domain nor a page table.
 * Again for the same page: nothing more. 0 or -errno */
int hv_hold_ring(struct hv *hv, struct domain *d, uint32_t ring);
/* A frame of Xen's that `owner` may map writable for ever (shared_info, grant tables): its type never changes and it
 * is not in tot_pages. ~0: none left. */
uint64_t hv_alloc_shared_frame(struct hv *hv, uint16_t owner);
/* `count` of these: how many there were, in `out`. */
uint64_t hv_alloc_shared_frames(struct hv *hv, uint16_t owner, uint64_t count, uint64_t *out);
/* The machine-to-phys table. Entries pfn, pfn + 1, ... for `count` frames; ~0: none. */
void hv_set_m2p(struct hv *hv, const uint64_t *mfns, uint64_t count, uint64_t pfn);
uint64_t hv_get_m2p(struct hv *hv, uint64_t mfn);
/* Neighbouring frames from *first on that somebody owns, and that are all zeros or all not: how many, where they begin, and
 * which. 0: there are none. */
uint64_t hv_owned_run(struct hv *hv, uint64_t *first, bool *zero);

/* Grants (GNTMAP_* flags). Each returns GNTST_okay or GNTST_general_error. The mapping holds a reference to the frame,
 * and a writable type reference unless GNTMAP_readonly; host_addr is a linear address, or the machine address of an L1
 * entry with GNTMAP_contains_pte. replace moves what new_addr maps to where the grant was. */
int mm_map_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame);
int mm_unmap_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame);
int mm_replace_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags,
                     uint64_t frame);

/* page types: see mm.h for the rules. 0 or -errno */
int hv_get_page(struct hv *hv, uint64_t mfn, uint16_t owner);
void hv_put_page(struct hv *hv, uint64_t mfn);
int hv_get_page_type(struct hv *hv, struct domain *d, uint64_t mfn, uint32_t type);
void hv_put_page_type(struct hv *hv, struct domain *d, uint64_t mfn);
/* As MMUEXT_PIN_L1_TABLE..PIN_L4_TABLE (level 1..4) and UNPIN_TABLE by the domain itself. */
int hv_pin_table(struct hv *hv, struct domain *d, uint64_t mfn, uint32_t level);
int hv_unpin_table(struct hv *hv, struct domain *d, uint64_t mfn);
/* Page-table entries that one hypercall examines before it asks for a continuation (tests; results must not change). */
void hv_set_work_limit(struct hv *hv, uint64_t entries);
/* recompute every type and count from the tables; number of differences, the first described in `text` */
uint64_t hv_audit(struct hv *hv, char *text, uint64_t len);

/* ---- guest-physical memory (p2m.c), interrupt lines, devices ---- */
/* An entry of a domain's p2m: RAM; and writable, which read-only memory is not; or (ARM, machine frame 0) a device of Python's: where
 * an ARM domain has neither, there is nothing. */
enum { P2M_RAM = 1, P2M_WRITABLE = 2, P2M_TABLE = 4, P2M_DEVICE = 8, P2M_FLAGS = 0xff, P2M_FRAME_SHIFT = 8, P2M_FRAMES = 1 << 27 };
/* Have machine frame `mfn` stand at guest frame `gfn`; flags 0: nothing stands there. 0, -EINVAL (no such frame), -ENOMEM */
int hv_p2m_set(struct hv *hv, struct domain *d, uint64_t gfn, uint64_t mfn, uint32_t flags);
/* The same for `count` frames from `gfn` on. */
int hv_p2m_fill(struct hv *hv, struct domain *d, uint64_t gfn, const uint64_t *mfns, uint64_t count, uint32_t flags);
/* The machine frame at `gfn` and its flags; ~0: none. */
uint64_t hv_p2m_get(struct hv *hv, const struct domain *d, uint64_t gfn, uint32_t *flags);
/* The highest guest frame that was ever mapped. */
uint64_t hv_highest_gfn(struct hv *hv, const struct domain *d);
/* Guest-physical memory as devices see it: what is no RAM reads as ones and takes nothing. 0, or -EFAULT if there was any. */
int hv_physical_read(struct hv *hv, const struct domain *d, uint64_t gpa, uint8_t *out, uint64_t len);
int hv_physical_write(struct hv *hv, const struct domain *d, uint64_t gpa, const uint8_t *data, uint64_t len);
/* The machine frame that a frame number in the mouth of a guest means: of a PV domain the number itself; ~0: there is no RAM. */
uint64_t hv_frame_of(struct hv *hv, const struct domain *d, uint64_t gfn);
/* HVM_PARAM_* of a domain that has a p2m; NULL: it is PV. */
uint64_t *hv_params(struct hv *hv, const struct domain *d);
/* Drive an interrupt line (x86: a GSI; ARM: a shared interrupt by its number); see hv/devices/device.py. */
void hv_set_irq(struct hv *hv, struct domain *d, uint32_t gsi, bool level);
/* The first device timer that is due, switched off; HV_TIMERS: none is. */
uint32_t hv_take_timer(struct hv *hv, struct domain *d);
/* Python has answered an EXIT_IO or EXIT_MMIO: the value that was read (anything, for a write), and how long it took. */
void hv_io_answer(struct hv *hv, struct vcpu *v, uint64_t value, uint64_t took_ns);
/* Write the date of system time 0 into shared_info. */
void hv_update_wallclock(struct hv *hv, struct domain *d);
enum { HV_CALL_32 = 0x100 };      /* cpu_exit.flags of EXIT_HYPERCALL: made by 32-bit code */
/* Python has served an entry of a multicall (exit aux 1): store its result, or its new arguments when it is to be tried
 * again; sets the registers so that the rest of the list goes on. */
void hv_multicall_result(struct hv *hv, struct vcpu *v, int64_t result);
void hv_multicall_retry(struct hv *hv, struct vcpu *v, const uint64_t args[6]);

/* events */
int hv_evtchn_send(struct hv *hv, struct domain *d, uint32_t port);         /* as the domain's EVTCHNOP_send */
void hv_evtchn_set_pending(struct hv *hv, struct domain *d, uint32_t port);
void hv_send_virq(struct hv *hv, struct vcpu *v, uint32_t virq);
void hv_vcpu_kick(struct hv *hv, struct vcpu *v);                            /* unblock it */
bool hv_event_deliverable(struct hv *hv, struct vcpu *v);
/* hv_evtchn_send() says this when the other end belongs to no domain here: a back end of the host serves it. */
enum { HV_EVTCHN_HOST = 1 };
struct evtchn *hv_evtchn(struct hv *hv, const struct domain *d, uint32_t port);   /* NULL: no such port */
uint32_t hv_evtchn_limit(const struct domain *d);         /* ports below this can be named in a call */
uint32_t hv_evtchn_capacity(const struct domain *d);      /* ports that the ABI in use has */
bool hv_evtchn_is_pending(struct hv *hv, const struct domain *d, uint32_t port);
bool hv_evtchn_is_masked(struct hv *hv, const struct domain *d, uint32_t port);
bool hv_evtchn_is_busy(struct hv *hv, const struct domain *d, uint32_t port);    /* FIFO: still on a queue */
void hv_evtchn_clear_pending(struct hv *hv, struct domain *d, uint32_t port);
void hv_evtchn_unmask(struct hv *hv, struct domain *d, uint32_t port);
void hv_mark_events_pending(struct hv *hv, struct vcpu *v);                  /* raise the upcall */

/* timers and the states of vcpus; system time in ns */
uint64_t hv_next_deadline(struct hv *hv);                 /* ~0: no timer is armed */
uint64_t hv_idle_deadline(struct hv *hv);                 /* the same, of timers that idle time ends for */
uint32_t hv_fire_due(struct hv *hv);                      /* expire what is due now; how many */
void hv_runstate_set(struct hv *hv, struct vcpu *v, uint32_t state);         /* enum runstate: accounts the time */
void hv_runstate_publish(struct hv *hv, struct vcpu *v);                     /* write the registered area */
void hv_runstate_times(struct hv *hv, const struct vcpu *v, uint64_t out[4]);
void hv_block(struct hv *hv, struct vcpu *v);             /* SCHEDOP_block: no work until an event */
void hv_switch(struct hv *hv, uint32_t vcpu_slot);        /* put a vcpu on the processor; HV_NO_SLOT: nobody */
uint32_t hv_turn(struct hv *hv);                          /* whose turn goes on; HV_NO_SLOT: choose somebody */
/* Turns are of this many instructions; with a seed other than 0 of half to one and a half of them, at random. `round_robin`: who is
 * next is found by it, without asking. No part of the state. 0, -EINVAL (a quantum of 0) */
int hv_set_turns(struct hv *hv, uint64_t quantum, uint64_t seed, bool round_robin);
uint32_t hv_round_robin(struct hv *hv);                   /* the next runnable slot after the one that was last; HV_NO_SLOT: none */
void hv_begin_turn(struct hv *hv, uint32_t slot);         /* of a new length */
void hv_yield(struct hv *hv);                             /* the turn of the running vcpu ends now */
uint32_t hv_runnable(struct hv *hv, uint16_t *slots, uint32_t max);          /* slots that could run, ascending */

/* ---- stop points (stops.c): where a debugger wants the run to stop ----
 *
 *   HV_STOP_INSTRUCTION  before the instruction at linear address `value`
 *   HV_STOP_ACCESS       an access of `kinds` (WATCH_*) to `bytes` bytes at linear address `value`, by an instruction or by
 *                        the hypervisor on the guest's behalf; stops behind it
 *   HV_STOP_HYPERCALL    before the hypercall with number `value`, sub-operation `sub` (the first argument & `mask`)
 *   HV_STOP_TRAP         exception `value` (vector) has come; the caller goes back to where it comes next
 *   HV_STOP_EVENT        port `value` of the domain has become pending
 */
enum hv_stop_kind {
    HV_STOP_INSTRUCTION = 1, HV_STOP_ACCESS, HV_STOP_HYPERCALL, HV_STOP_TRAP, HV_STOP_EVENT
};
enum { HV_STOPS_MAX = 256, HV_STOP_ANY = 0xffff };
#define HV_STOP_ANY_VALUE (~0ull)
struct hv_stop {
    uint64_t value, bytes, sub, mask;    /* value, sub: HV_STOP_ANY_VALUE for any */
    uint32_t kind, kinds, id;
    uint16_t domid, vcpu;            /* HV_STOP_ANY */
};
/* A stop point that was met: `when` retired instructions, the vcpu about to execute `rip`. For an access, `when` and `rip`
 * are those of the instruction that did it. */
struct hv_stop_hit {
    uint64_t when, rip, address;
    uint32_t kind, id;
    uint16_t domid, vcpu, slot;
    uint8_t late;                    /* not at the first moment of `when`: something had happened since */
    uint8_t kinds;
};
/* Set these stop points and no others. `before`: 0, or do not stop, but remember the last that was met at a count less
 * than that. 0 or -EINVAL (too many). */
int hv_set_stops(struct hv *hv, const struct hv_stop *stops, uint32_t count, uint64_t before);
/* Where a stop point, or every one (HV_STOP_ANY), does not count: where a run begins, and where a condition did not hold. */
struct hv_stop_passed { uint64_t when, rip; uint32_t slot, id; };
/* What does not count from here on. Without it, after hv_set_stops(), that is what would be met where the running vcpu stands;
 * with `before`, nothing. 0 or -EINVAL (more than HV_STOPS_MAX) */
int hv_stops_pass(struct hv *hv, const struct hv_stop_passed *passed, uint32_t count);
/* The stop point that ended the run, or the last one met; false: none since the run began. */
bool hv_stop_hit(struct hv *hv, struct hv_stop_hit *out);

/* ---- snapshots (snapshot.c) ---- */
struct hv_snapshot;
/* Kinds of domains, as far as what runs them differs; files have these numbers. WHOLE: PVH and HVM. */
enum hv_kind { HV_KIND_PV = 0, HV_KIND_WHOLE = 1, HV_KIND_ARM64 = 2, HV_KIND_ARM32 = 3, HV_KINDS };
struct hv_saved_cpu {
    uint32_t slot;                /* of the vcpu, below HV_MAX_VCPUS */
    uint32_t kind;                /* enum hv_kind, of its domain: which of these it is */
    union { struct x86_state state; struct arm_state arm; };
};
/* Save all state, between two runs; the caller releases it. 0 or -ENOMEM. Costs what was written since the last one. */
int hv_snapshot_take(struct hv *hv, struct hv_snapshot **out);
/* Make everything what it was: memory, arena, registers, statistics. The hypervisor may be another than the one it was
 * taken from, of the same size. 0, -EINVAL (another size of machine), -ENOMEM (no room for the cpus that it has). */
int hv_snapshot_restore(struct hv *hv, const struct hv_snapshot *snapshot);
void hv_snapshot_release(struct hv_snapshot *snapshot);
/* Its memory; it stays the snapshot's. */
struct image *hv_snapshot_image(struct hv_snapshot *snapshot);
/* Its registers, one record a vcpu. */
struct hv_saved_cpu *hv_snapshot_cpus(struct hv_snapshot *snapshot, uint32_t *count);
/* Why the hypervisor had crashed a domain last; NULL: it never had. */
const char *hv_snapshot_crash_reason(const struct hv_snapshot *snapshot);
/* What the statistics of each domain counted, by slot. */
struct hv_counts { uint64_t hypercalls[64], traps[HV_TRAPS]; };
struct hv_counts *hv_snapshot_counts(struct hv_snapshot *snapshot, uint32_t *count);
/* A snapshot for a hypervisor of this size, whose registers the caller fills in, and its pages by image_set(); they are those
 * of `base`, or zeros. 0, -EINVAL (too many cpus), -ENOMEM */
int hv_snapshot_blank(struct hv *hv, const struct hv_snapshot *base, uint32_t cpus, struct hv_snapshot **out);

/* ---- state that did not come from here: validate.c, validate_cpu.c ---- */
/* May a snapshot be restored that was made from a file? Its registers are those that a PV guest can have. false, and one
 * sentence in `text`. */
bool hv_snapshot_check(struct hv *hv, struct hv_snapshot *snapshot, char *text, uint64_t len);
/* The snapshot has just been restored: is everything in the arena that is used as an index, a count, an offset or an address
 * what it may be, and do the registers agree with it? Only then hv_audit() may look at it, and the guest run. */
bool hv_validate(struct hv *hv, struct hv_snapshot *snapshot, char *text, uint64_t len);

/* ---- what each architecture adds, where its folder is there (native/build.py) ---- */
#ifdef XENLAB_X86
#include "x86/api.h"
#endif
#ifdef XENLAB_ARM
#include "arm/api.h"
#endif

#endif
