/* coverage.c - which blocks of code have been translated, that is: which code has run.
 *
 * A block is noted when it is translated, which is when it is about to run; starting forgets all translations, so that
 * every block comes by. It may run only in part (a fault, an event at its end): the note says no more than that it began.
 * The table is a hash set of addresses that never grows: what does not fit is counted.
 */
#include <stdlib.h>
#include "machine.h"

enum { COVERAGE_SLOTS = 1 << 20, COVERAGE_MAX = COVERAGE_SLOTS / 4 * 3 };

struct coverage {
    uint64_t count, dropped;
    struct code_block blocks[COVERAGE_SLOTS];        /* size 0: free */
};

int machine_coverage_start(struct machine *m)
{
    machine_coverage_stop(m);
    m->coverage = calloc(1, sizeof *m->coverage);
    if (!m->coverage)
        return -ENOMEM;
    machine_flush_code(m);
    return 0;
}

void machine_coverage_stop(struct machine *m)
{
    free(m->coverage);
    m->coverage = NULL;
}

void coverage_note(struct coverage *coverage, uint64_t start, uint32_t size)
{
    uint64_t at = (start ^ start >> 20) * UINT64_C(0x9e3779b97f4a7c15) >> 44;

    while (coverage->blocks[at].size && coverage->blocks[at].start != start)
        at = (at + 1) % COVERAGE_SLOTS;
    struct code_block *block = &coverage->blocks[at];
    if (block->size == 0) {
        if (coverage->count == COVERAGE_MAX) {
            coverage->dropped++;
            return;
        }
        coverage->count++;
        block->start = start;
    }
    if (block->size < size)       /* the same start, cut less short than before */
        block->size = size;
}

uint64_t machine_coverage(const struct machine *m, struct code_block *out, uint64_t max, uint64_t *dropped)
{
    const struct coverage *coverage = m->coverage;
    uint64_t n = 0;

    *dropped = coverage ? coverage->dropped : 0;
    for (uint64_t at = 0; coverage && at < COVERAGE_SLOTS; at++)
        if (coverage->blocks[at].size) {
            if (n < max)
                out[n] = coverage->blocks[at];
            n++;
        }
    return n;
}
