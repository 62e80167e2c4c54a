/* arch.h - what Xen does differently for each kind of domain: one constant table a kind (docs/adr/0013).
 *
 * The other files of this folder ask the table of a vcpu's domain and know no architecture. A table is found by
 * the domain's type; where the folder of an architecture is missing, its tables are, and such domains cannot be made.
 */
#ifndef XENLAB_ARCH_H
#define XENLAB_ARCH_H
#include <stddef.h>
#include "hv.h"

struct validation;

/* A table of structs in the arena, one a domain or a vcpu slot: where struct hv_state has its offset, and bytes of a struct.
 * bytes 0: there is none. */
struct arch_part { size_t at, bytes; };

/* Offsets in the pages that a guest shares with Xen, and how wide the words of its event bits are: by the guest's long. */
struct shared_layout {
    uint32_t pending, mask;              /* bitmaps, in shared_info */
    uint32_t selector;                   /* evtchn_pending_sel, in vcpu_info */
    uint32_t bits;                       /* of a word */
    uint32_t date_version, date_seconds, date_ns, date_high;             /* wc_*, in shared_info */
};

struct arch {
    uint32_t kind;                       /* enum hv_kind */
    enum cpu_model model;
    bool narrow;                         /* at birth: shared_info is laid out for 32 bits */
    const struct shared_layout *shared[2];       /* [1]: of domains that are narrow */
    struct arch_part domain, vcpu;       /* zeroed when a domain, a vcpu is made */
    const struct engine_ops *ops;        /* without ctx */

    /* ---- life ---- */
    void (*vcpu_created)(struct hv *hv, struct vcpu *v);                 /* its cpu is there, and bound to `ops` */
    void (*domain_emptied)(struct hv *hv, const struct domain *d);       /* NULL: nothing is kept beside the state */

    /* ---- running ---- */
    /* hv_run() begins: events, interrupts. false: the domain is crashed. */
    bool (*before_run)(struct hv *hv, struct vcpu *v);
    /* SHUTDOWN_* of a processor that has given up (EXIT_SHUTDOWN) with its domain not shut down. NULL: cannot be. */
    uint8_t (*gave_up)(struct hv *hv, const struct domain *d);
    uint64_t (*code_base)(struct cpu *cpu);                              /* what is added to the program counter. NULL: 0 */
    uint64_t (*registers)(struct cpu *cpu, struct evidence *out);        /* fill in its registers; returns the stack's pointer */
    void (*events_pending)(struct hv *hv, struct vcpu *v);               /* the upcall has become pending. NULL: it is looked for */
    bool (*can_wake)(struct hv *hv, const struct vcpu *v);               /* would it take what is pending now? SCHEDOP_poll, _block */
    /* SCHEDOP_block lets events through before it waits. NULL: by vcpu_info.evtchn_upcall_mask. */
    void (*enable_events)(struct hv *hv, struct vcpu *v);
    uint64_t (*deadline)(struct hv *hv, const struct vcpu *v);           /* ns; 0: none. NULL: it has no timers of its own */
    void (*expire)(struct hv *hv, struct vcpu *v, uint64_t now);         /* with `deadline` */

    /* ---- memory ---- */
    /* The memory at `va` as the vcpu's kernel (PV: its present mode) maps it, good to the end of the page; marks what an access
     * marks. NULL: no access. */
    uint8_t *(*memory)(struct hv *hv, struct vcpu *v, uint64_t va, enum access access);
    /* The page of `va`, for reading, without any trace in the guest's tables. */
    const uint8_t *(*peek)(struct hv *hv, const struct vcpu *v, uint64_t va);
    struct p2m *(*p2m)(struct hv *hv, const struct domain *d);           /* NULL: frame numbers are the machine's */
    void (*p2m_changed)(struct hv *hv, const struct domain *d);          /* NULL: nothing hangs on it but cached translations */

    /* mm_map_grant(), mm_replace_grant(): those of p2m_grant.c, or of direct paging. */
    int (*map_grant)(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame);
    int (*replace_grant)(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags, uint64_t frame);
    struct io_queue *(*io)(struct hv *hv, const struct vcpu *v);         /* NULL: it has no accesses to devices */
    void (*set_line)(struct hv *hv, struct domain *d, uint32_t line, bool level);       /* NULL: there are no interrupt lines */
    uint64_t *(*params)(struct hv *hv, const struct domain *d);          /* HVM_PARAM_*. NULL: it has none */

    /* ---- hypercalls ---- */
    bool (*address_ok)(uint64_t va);     /* can a guest name it as its own? NULL: any */
    const uint8_t *has;                  /* [NR_HYPERCALLS] 1: it has this one. NULL: all; Python refuses the unknown */
    hypercall_fn *const *calls;          /* [NR_HYPERCALLS] answered in C beside those of calls.c. NULL: none */
    bool (*wide)(struct hv *hv, const struct vcpu *v);                   /* made by 64-bit code? */
    void (*set_result)(struct hv *hv, const struct vcpu *v, int64_t result);
    /* Execute the instruction again: hypercall `nr` (HV_SAME_CALL: the register has it still) with these first `count` arguments
     * and the others as they are. */
    void (*call_again)(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count);

    /* ---- state that comes from a file (validate.h) ---- */
    /* The name of a register that cannot be a guest's, NULL: all can be. `scratch`: a cpu to try them on. */
    const char *(*bad_register)(const struct hv *hv, struct cpu *scratch, const struct hv_saved_cpu *saved);
    bool (*vcpu_ok)(struct validation *c, struct vcpu *v);
    bool (*domain_ok)(struct validation *c, const struct domain *d);     /* but for its p2m. NULL: nothing to check */
};

/* What an architecture has once in every machine, whichever domains there are. (docs/adr/0018) */
struct arch_machine {
    int (*created)(struct hv *hv);       /* frames can be had: take those of its own, make its caches. 0, -ENOMEM */
    void (*destroyed)(struct hv *hv);    /* also where created() has failed, or was never reached */
    void (*restored)(struct hv *hv);     /* all state is another: nothing cached of it is of use any more */
    bool (*frames_ok)(struct validation *c);             /* those of its own, and what its page types promise */
    void (*audit)(struct hv *hv, struct differences *found);             /* its caches against what they were made from */
};
extern const struct arch_machine X86_MACHINE __attribute__((weak));      /* address NULL: its folder is missing */

/* By enum domain type; NULL: this build has no such domains. (arch.c) */
const struct arch *hv_arch_of_type(uint32_t type);
static inline const struct arch *hv_arch(const struct domain *d) { return hv_arch_of_type(d->type); }
static inline const struct arch *hv_arch_of(struct hv *hv, const struct vcpu *v) { return hv_arch(hv_domain(hv, v)); }
/* By enum hv_kind, the same. */
const struct arch *hv_arch_of_kind(uint32_t kind);
/* A domain's struct in a table of the arena, and a vcpu's. The part has bytes. */
void *hv_domain_part(const struct hv *hv, const struct domain *d);
void *hv_vcpu_part(const struct hv *hv, const struct vcpu *v);

#endif
