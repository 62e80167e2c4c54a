/* watch.c - accesses to watched data: a debugger's watchpoints, and the data breakpoints that a guest has armed itself.
 *
 * libunicorn calls at each access to a page that has one, and does nothing behind it. Ours makes the access a trap behind its
 * instruction:
 *   1. An access touches watched bytes, whether it is of the kind that is waited for or not (the read of a
 *      read-modify-write comes first, and nothing may have been written yet): the block is left before the instruction,
 *      which is then executed again in a block of its own.
 *   2. There it touches them again. A hit is noted, and what is left of the budget is held back, so that the next block,
 *      whichever it is, finds none and comes to cpu_watch_next(), which gives it back, and raises the guest's debug exception or
 *      ends the run.
 * An exception in between means that the instruction did not complete: the hit is forgotten, it will come again.
 */

enum { BP_READ = 1, BP_WRITE = 2 };
enum { STORE_PAIR = 16 };

void WRAP(cpu_check_watchpoint)(char *cs, uint64_t va, uint64_t size, uint32_t attributes, int access, uintptr_t ra);
int WRAP(cpu_watchpoint_address_matches)(char *cs, uint64_t va, uint64_t size);

/* libunicorn asks when it inserts a page's translation: which accesses to the page are to be looked up? */
int WRAP(cpu_watchpoint_address_matches)(char *cs, uint64_t va, uint64_t size)
{
    struct cpu *c = cpu_of_cs(cs);
    return target_watched(c, va, size) || machine_watched_at(c->m, va, size, WATCH_READ | WATCH_WRITE) ? BP_READ | BP_WRITE : 0;
}

/* The block that is running at `ra` has one instruction: where? */
static uint64_t pc_of_block(struct cpu *c, uintptr_t ra)
{
    const char *block = cpu_block_at(c, ra);
    return block ? FIELD(const uint64_t, block, U_TB_PC) : 0;
}

/* Remember which watchpoints of a debugger an access touches. */
static void note_touches(struct cpu *c, uint64_t va, uint64_t size, uint32_t kind, uintptr_t ra)
{
    for (uint32_t i = 0; i < c->m->watchpoint_count; i++) {
        const struct watchpoint *w = &c->m->watchpoints[i];
        if (!watchpoint_has(w, va, size, kind))
            continue;
        uint32_t at = 0;
        while (at < c->touch_count && c->touches[at].id != w->id)
            at++;
        if (at == c->touch_count)
            c->touches[c->touch_count++] = (struct touch){.pc = pc_of_block(c, ra), .va = va, .size = size, .id = w->id};
        c->touches[at].kinds |= kind;
    }
}

void WRAP(cpu_check_watchpoint)(char *cs, uint64_t va, uint64_t size, uint32_t attributes, int access, uintptr_t ra)
{
    struct cpu *c = cpu_of_cs(cs);
    uint32_t found = target_watched(c, va, size);
    uint32_t kind = access & BP_WRITE ? WATCH_WRITE : WATCH_READ;
    /* Before its first store nothing of an instruction has happened that happening again would change, whatever was read.
     * What stores twice is left before the first half whichever half is watched. */
    uint64_t reach = kind == WATCH_WRITE && size < STORE_PAIR ? STORE_PAIR : size;
    (void)attributes;
    if (!found && !machine_watched_at(c->m, va, reach, kind))
        return;
    if (!c->watching && ra) {
        WRAP(cpu_restore_state)(cs, ra, true);
        c->settled = false;
        c->watching = true;
        CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1;
        T(cpu_loop_exit)(cs);
    }
    c->watching = true;           /* without `ra`: an event that is being delivered, which comes but once */
    c->watch_hits |= target_waiting(c, found, access & BP_WRITE);
    note_touches(c, va, size, kind, ra);
    c->held += LEFT;
    LEFT = 0;
}

void cpu_watch_forget(struct cpu *c)
{
    c->touch_count = 0;
    LEFT += c->held;
    c->held = 0;
    c->watch_hits = 0;
    c->watching = false;
}

void cpu_watch_next(struct cpu *c, int64_t count)
{
    uint32_t found = c->watch_hits;
    uint32_t touches = c->touch_count;
    cpu_watch_forget(c);
    bool stop = touches && c->ops->watched(c->ops->ctx, c, c->touches, touches);
    if (stop && !found) {
        cpu_leave_at_breakpoint(c);
        cpu_leave_helper(c);
    }
    c->stop_asked = stop;
    if (found)
        target_debug_exception(c, found);
    if (LEFT >= count)
        T(cpu_loop_exit)(c->cs);
}
