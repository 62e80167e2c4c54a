/* cpu.h - what every cpu has, whatever its architecture, and the table of what each architecture does in its own way.
 *
 * An architecture's folder (x86/, arm/) puts its own fields behind these (struct x86_cpu, struct arm_cpu), fills in one table
 * and compiles the mechanisms of target/ for its libunicorn. Neutral files know nothing else of it.
 */
#ifndef XENLAB_CPU_H
#define XENLAB_CPU_H
#include "machine.h"

struct uc_struct;

/* A field of libunicorn's state, by offset. */
#define FIELD(type, object, offset) (*(type *)((object) + (offset)))

/* The code that is running at a return address: its linear addresses. */
struct running { uint64_t pc; uint32_t bytes; };

struct cpu_kind {
    size_t state_bytes;                                       /* of what save() writes */
    int (*create)(struct machine *m, enum cpu_model model, struct cpu **out);
    void (*destroy)(struct cpu *c);
    int (*set_ops)(struct cpu *c);                            /* c->ops is another table. 0 or -ENOMEM */
    /* Execute until c->leaving; everything that is the same for all kinds has been prepared. */
    void (*run)(struct cpu *c);
    uint64_t (*pc)(struct cpu *c);                            /* as the guest sees it */
    void (*set_pc)(struct cpu *c, uint64_t pc);
    int64_t (*unretired)(const struct cpu *c);                /* of c->block, from the next instruction on */
    void (*save)(struct cpu *c, void *out);
    void (*load)(struct cpu *c, const void *in);
    void (*next_alone)(struct cpu *c);
    void (*flush)(struct cpu *c);                             /* all cached translations */
    void (*drop_range)(struct cpu *c, uint64_t from, uint64_t to);     /* linear addresses of 48 bits */
    void (*drop_executable)(struct cpu *c, uint64_t frame);   /* cached translations of a frame, by what they allow */
    void (*drop_writable)(struct cpu *c, uint64_t frame);
    void (*drop_blocks)(struct cpu *c, uint64_t from, uint64_t to);    /* code translated from these physical addresses */
    void (*flush_code)(struct cpu *c);
    bool (*next_cached)(struct cpu *c, uint64_t *at, struct cached *out);
    bool (*running)(struct cpu *c, uintptr_t ra, struct running *out);      /* false: nothing runs there */
    /* A store at `ra` may be executed again, alone, instead of now: false, it cannot or it is alone; else no return. */
    void (*alone_first)(struct cpu *c, uintptr_t ra);
    int (*hook_count)(struct cpu *c);                         /* machine_count_by_hook(); 0 or -ENOMEM */
};
/* NULL: the architecture's folder is not there. */
extern const struct cpu_kind x86_kind __attribute__((weak));
extern const struct cpu_kind arm_kind __attribute__((weak));

enum { FETCHED_PAGES = 512 };     /* a process of Linux has about half as many between two switches */

struct cpu {
    const struct cpu_kind *kind;
    struct machine *m;
    const struct engine_ops *ops; /* the machine's, or its own */
    struct uc_struct *uc;
    char *cs;                     /* libunicorn's CPUState */
    char *env;                    /* libunicorn's state of the architecture */
    int64_t *left;                /* instructions left of the budget; generated code charges each block in full */
    int index;
    bool has_devices;             /* the device window is mapped */
    bool run_alone;               /* the first instruction of the next run */
    bool running;                 /* inside libunicorn's execution loop */
    bool leaving;                 /* an exit record is ready */
    bool kicked;
    int64_t budget;
    /* Inside a callback: the block that is running and has been charged in full. NULL: nothing of it is to be given back. */
    const char *block;
    bool settled;                 /* the exception on its way has been accounted for */
    uintptr_t block_ra;           /* cpu_block_at()'s last question and answer */
    const char *block_at_ra;
    /* an access to watched data on its way (target/watch.c) */
    bool watching;                /* its instruction is executed again, alone */
    uint32_t watch_hits;          /* of the guest's own data breakpoints, as the architecture numbers them */
    int64_t held;                 /* held back of the budget until the instruction is done */
    struct touch touches[ENGINE_WATCHPOINTS];     /* of a debugger's watchpoints, in the order of first accesses */
    uint32_t touch_count;
    bool stop_asked;              /* leave with EXIT_BREAKPOINT once the guest's own debug exception has been delivered */
    int64_t trap_at;              /* instructions retired in this run when the last exception came; -1: none came */
    uint64_t epoch;               /* machine.tlb_epoch that the cached translations belong to */
    /* pages whose fetches have been translated since all translations were dropped; more than FETCHED_PAGES: not known which */
    uint64_t fetched[FETCHED_PAGES];
    unsigned fetched_count;
    struct cpu_exit exit;
    /* the translation that is being made */
    void *charge_op;              /* the operation whose operand becomes the block's instruction count */
    void *overdrawn;              /* label of the code that a block runs into when the budget does not reach */
    bool block_open;              /* the next exit check begins a block */
    bool end_block;               /* the instruction that was just translated changes what translation depends on */
    void (*translate_insn)(void *context, void *cs);
    const char *translating;      /* its block */
    /* what the last restore of state found */
    char *restored_block;
    uint64_t restored_pc;
};

/* Give a new cpu, of which `kind` and `uc`, `cs`, `env`, `left` are filled in, its place in the machine; false: there is none. */
bool cpu_enter(struct machine *m, struct cpu *c);
/* Flush when the machine's translations went stale. */
void cpu_tlb_sync(struct cpu *c);

/* ---- tables.c ---- */
/* A store of `size` bytes (0: not known) is about to go to `frame`, which is FRAME_TABLE, through address `va`. Drops what
 * was read from there; need not return. true: the next store must come here too. */
bool tables_store(struct cpu *c, uint64_t va, uint64_t frame, int size, uintptr_t ra);

#endif
