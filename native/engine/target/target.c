/* target.c - all of this folder in one unit, with the table that it fills in. An architecture says how many bytes its longest
 * instruction has (TARGET_INSN_MAX), whether libunicorn leaves the page size to us (TARGET_PAGE_VARIES) and executes a store into the
 * running block again by itself (TARGET_RESTARTS_STORES), whether registers are looked at in the middle of a block
 * (TARGET_NATIVE), and the entries of the table that are its own (TARGET_KIND). */
#include "count.c"
#include "io.c"
#include "run.c"
#include "tlb.c"
#include "watch.c"

const struct cpu_kind target_kind = {
    TARGET_KIND
    .run = run,
    .unretired = unretired,
    .next_alone = next_alone,
    .alone_first = alone_first,
    .flush = flush,
    .drop_range = drop_range,
    .drop_executable = drop_executable,
    .drop_writable = drop_writable,
    .drop_blocks = drop_blocks,
    .flush_code = flush_code,
    .next_cached = next_cached,
    .running = running,
    .hook_count = hook_count,
};
