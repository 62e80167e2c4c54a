/* machine.h - what the engine's own files share. The layers above include engine.h only. */
#ifndef XENLAB_MACHINE_H
#define XENLAB_MACHINE_H
#include <errno.h>
#include <string.h>
#include "engine.h"

/* Per-frame state, common to all cpus. A frame is FRAME_CODE or FRAME_WRITABLE in the cached translations, never both
 * (physical W^X): a fetch takes the writable translations away, a store drops the translated code. FRAME_MIXED frames
 * flip too often for that; they keep their code and every store to them is checked against it. */
enum {
    FRAME_CODE = 1,       /* some cpu may hold translated code of it, or an executable translation */
    FRAME_WRITABLE = 2,   /* some cpu may hold a writable translation */
    FRAME_MIXED = 4,
    FRAME_DIRTY = 8,      /* written since `base_image` */
    FRAME_TABLE = 16      /* translations may be cached that were read from it (tables.c) */
};
enum { FRAME_FLIPS_MAX = 8 };     /* flips after which a frame becomes FRAME_MIXED */

/* What is known of a frame that is FRAME_TABLE, and of how that went before. */
struct table {
    struct table_use use;         /* `many`: of all its uses, as far as it can be said of them together */
    bool many;                    /* it is used in different ways, or for different addresses */
    bool mixed;                   /* with entries of both sizes: what is one for one of them is half of another's */
    uint8_t returns;              /* how often it was given up, saturating */
    uint8_t pad;
    uint32_t stores;              /* since it became one */
};

struct machine {
    uint8_t *base;                /* RAM, then the arena */
    uint64_t frames;
    uint64_t arena_bytes;
    uint8_t *flags;               /* [frames] FRAME_* */
    uint8_t *flips;               /* [frames] saturating */
    struct table *tables;         /* [frames] */
    struct cpu *cpus[ENGINE_MAX_CPUS];
    int cpu_count;                /* 1 + highest index in use */
    uint32_t block_limit;
    bool stepwise;                /* string instructions are executed one iteration at a time (machine_count_by_hook) */
    uint64_t tlb_epoch;           /* raised by machine_tlb_stale(); each cpu flushes when it has an older one */
    struct image *base_image;     /* what memory equals but for FRAME_DIRTY frames; NULL: zeros */
    int64_t hooked;               /* target/run.c: instructions that the per-instruction hook has seen retire */
    int fd;
    /* stops.c: breakpoints that are set; and those that translated code has calls for, a superset */
    uint64_t breakpoints[ENGINE_BREAKPOINTS], planted[ENGINE_BREAKPOINTS];
    uint32_t breakpoint_count, planted_count;
    struct watchpoint watchpoints[ENGINE_WATCHPOINTS];
    uint32_t watchpoint_count;
    struct engine_ops ops;
    struct coverage *coverage;    /* coverage.c; NULL: blocks are not noted */
};

/* ---- coverage.c ---- */
/* A block of `size` bytes at linear address `start` is about to run. */
void coverage_note(struct coverage *coverage, uint64_t start, uint32_t size);

/* ---- tables.c ---- */
/* The host is about to write to a frame: what was read from it as a table goes, from all caches. */
void machine_forget_table(struct machine *m, uint64_t frame);
/* A walk is about to mark an entry of `entry_bytes`. As a table of the other size the frame changes by that. */
void machine_table_marked(struct machine *m, uint64_t frame, int entry_bytes);

/* ---- stops.c ---- */
/* Is code at `pc` to be translated with a call? */
bool machine_planted(const struct machine *m, uint64_t pc);
bool machine_breakpoint_at(const struct machine *m, uint64_t pc);
/* Is there a watchpoint of one of these kinds that has one of `size` bytes at `va`? */
bool machine_watched_at(const struct machine *m, uint64_t va, uint64_t size, uint32_t kinds);
bool watchpoint_has(const struct watchpoint *w, uint64_t va, uint64_t size, uint32_t kinds);

/* ---- code.c: translated code and cached translations, over all cpus ---- */
/* Forget all translated code and executable translations of a frame. Not for the frame of the block that is running. */
void machine_drop_code(struct machine *m, uint64_t frame);
/* Forget the translated code of a frame; its executable translations stay, for a caller that makes them all stale. */
void machine_drop_blocks(struct machine *m, uint64_t frame);
/* Take every writable translation of a frame away. */
void machine_drop_writable(struct machine *m, uint64_t frame);

#endif
