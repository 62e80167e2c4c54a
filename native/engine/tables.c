/* tables.c - page tables that a guest with a processor of its own keeps in its memory, and writes to as it likes.
 *
 * Cached translations must not be visible: how many a cpu keeps, and for how long, depends on the host's clock (libunicorn
 * sizes its tables by it), on snapshots, on how code is cut into blocks. So a guest sees a processor that forgets each
 * translation at once. That needs no flushes, only this:
 *
 * Invariants
 *   - Each table that a cached translation was read from is FRAME_TABLE: no cpu has a plain writable translation of it, and
 *     every store of a guest comes to tables_store() before it is done.
 *   - A cached translation came from entries that are present, and accessed where the walk could set that. A store to other
 *     entries changes nothing that is cached, nor does a walk that sets more bits.
 *   - Generated code goes from block to block of one page without looking the page up. So a store to an entry that leads to
 *     the running block is executed alone, and the run is cut behind it: the next block is looked up.
 * A table that is written again and again without being of use is given up: what was read from it goes, and its stores are
 * plain again until the next walk.
 */
#include "cpu.h"

enum { STORES_MAX = 16, RETURNS_MAX = 4 };

struct span { uint64_t from, to; };      /* linear addresses, of 48 bits; `to` may be 1 << 48 */

/* The cached translations of these addresses go, from all cpus. */
static void flush(struct machine *m, const struct span *s, bool everything)
{
    for (int i = 0; i < m->cpu_count; i++) {
        if (!m->cpus[i])
            continue;
        if (everything)
            m->cpus[i]->kind->flush(m->cpus[i]);
        else
            m->cpus[i]->kind->drop_range(m->cpus[i], s->from, s->to);
    }
}

void machine_note_table(struct machine *m, uint64_t frame, const struct table_use *use)
{
    struct table *t = &m->tables[frame];
    if (!(m->flags[frame] & FRAME_TABLE)) {
        if (m->flags[frame] & FRAME_WRITABLE)
            machine_drop_writable(m, frame);
        m->flags[frame] |= FRAME_TABLE;
        t->use = *use;
        t->many = t->mixed = false;
        t->stores = 0;
        return;
    }
    struct table_use *known = &t->use;
    t->stores = 0;
    if (known->base == use->base && known->shift == use->shift && known->start == use->start && known->bytes == use->bytes &&
        known->entry_bytes == use->entry_bytes && known->always >= use->always && known->present == use->present)
        return;
    t->many = true;
    uint32_t start = known->start < use->start ? known->start : use->start;
    uint32_t end = known->start + known->bytes > use->start + use->bytes ? known->start + known->bytes : use->start + use->bytes;
    known->start = start;
    known->bytes = end - start;
    known->always |= use->always;
    known->present |= use->present;
    t->mixed |= known->entry_bytes != use->entry_bytes;
}

bool machine_is_table(const struct machine *m, uint64_t frame) { return frame < m->frames && m->flags[frame] & FRAME_TABLE; }

/* Could anything have been read from the entries in bytes [from, to)? */
static bool live(const struct machine *m, uint64_t frame, uint32_t from, uint32_t to)
{
    const struct table_use *use = &m->tables[frame].use;
    const uint8_t *bytes = m->base + frame * ENGINE_PAGE_SIZE;
    if (m->tables[frame].mixed)
        return true;
    for (uint32_t at = from & ~(use->entry_bytes - 1); at < to; at += use->entry_bytes)
        if (bytes[at] & use->present && (use->always || bytes[at] & use->accessed))
            return true;
    return false;
}

/* Entries in bytes [from, to) of the table. */
static struct span span_of(const struct table_use *use, uint32_t from, uint32_t to)
{
    uint64_t first = (from - use->start) / use->entry_bytes, last = (to - 1 - use->start) / use->entry_bytes;
    return (struct span){use->base + (first << use->shift), use->base + ((last + 1) << use->shift)};
}

/* The frame is no table any more. What was read from it goes, if there can be anything. */
static void forget(struct machine *m, uint64_t frame)
{
    struct table *t = &m->tables[frame];
    uint32_t end = t->use.start + t->use.bytes;
    m->flags[frame] &= (uint8_t)~FRAME_TABLE;
    if (!live(m, frame, t->use.start, end)) {
        t->returns = 0;
        return;
    }
    if (t->returns < RETURNS_MAX)
        t->returns++;
    if (m->ops.table_changed)
        m->ops.table_changed(m->ops.ctx, frame, 0, ENGINE_PAGE_SIZE);
    const struct span span = span_of(&t->use, t->use.start, end);
    flush(m, &span, t->many);
}

void machine_forget_table(struct machine *m, uint64_t frame)
{
    if (m->flags[frame] & FRAME_TABLE)
        forget(m, frame);
}

void machine_table_marked(struct machine *m, uint64_t frame, int entry_bytes)
{
    if (m->flags[frame] & FRAME_TABLE && (m->tables[frame].mixed || m->tables[frame].use.entry_bytes != entry_bytes))
        forget(m, frame);
}

static bool meets(const struct span *s, uint64_t from, uint64_t bytes)
{
    from = from << 16 >> 16;
    return from < s->to && s->from < from + bytes;
}

/* Does anything that goes on before the next lookup depend on translations of these addresses: the store itself, whose
 * translation is about to be cached, or the block that runs? */
static bool touches_itself(struct cpu *c, const struct table *t, const struct span *s, uint64_t va, uintptr_t ra)
{
    struct running run;
    if (t->many || meets(s, va, 1))
        return true;
    return c->kind->running(c, ra, &run) && meets(s, run.pc, run.bytes);
}

/* Have the next block be looked up, in tables that are walked then. */
static void look_up_next(struct cpu *c)
{
    machine_tlb_stale(c->m);
    cpu_shorten(c, c->budget - *c->left);
}

bool tables_store(struct cpu *c, uint64_t va, uint64_t frame, int size, uintptr_t ra)
{
    struct machine *m = c->m;
    struct table *t = &m->tables[frame];
    const struct table_use *use = &t->use;
    const uint32_t end = use->start + use->bytes;
    uint32_t from = va & (ENGINE_PAGE_SIZE - 1), to = ENGINE_PAGE_SIZE;
    bool give_up = size <= 0 || ++t->stores >= (uint32_t)STORES_MAX << t->returns;
    if (size > 0 && (uint32_t)size < to - from)
        to = from + (uint32_t)size;
    if (give_up)
        from = use->start, to = end;
    from = from > use->start ? from : use->start;
    to = to < end ? to : end;
    if (from < to && live(m, frame, from, to)) {
        const struct span span = span_of(use, from, to);
        bool itself = touches_itself(c, t, &span, va, ra);
        if (itself) {
            c->kind->alone_first(c, ra);
            look_up_next(c);
        }
        if (!give_up && m->ops.table_changed)
            m->ops.table_changed(m->ops.ctx, frame, from, to - from);
        if (!give_up)
            flush(m, &span, t->many);
    }
    if (give_up)
        forget(m, frame);
    return !give_up;
}
