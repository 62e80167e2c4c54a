/* stops.c - the stop points of a debugger: which instructions and which data the layer above wants to hear of.
 *
 * A breakpoint is a call of the helper that every block has for its budget, made before the block's first instruction; a
 * planted address always begins a block (target/count.c). A call that is no longer wanted does nothing. So debuggers
 * that take all breakpoints away at each stop and set them again, as gdb does, cost no translation.
 */
#include "machine.h"

static bool contains(const uint64_t *addresses, uint32_t count, uint64_t pc)
{
    for (uint32_t i = 0; i < count; i++)
        if (addresses[i] == pc)
            return true;
    return false;
}

bool machine_planted(const struct machine *m, uint64_t pc) { return contains(m->planted, m->planted_count, pc); }

bool machine_breakpoint_at(const struct machine *m, uint64_t pc)
{
    return contains(m->breakpoints, m->breakpoint_count, pc);
}

int machine_set_breakpoints(struct machine *m, const uint64_t *addresses, uint32_t count)
{
    if (count > ENGINE_BREAKPOINTS)
        return -EINVAL;
    m->breakpoint_count = count;
    memcpy(m->breakpoints, addresses, count * sizeof *addresses);
    uint32_t planted = m->planted_count;
    for (uint32_t i = 0; i < count; i++) {
        if (contains(m->planted, planted, addresses[i]))
            continue;
        if (planted == ENGINE_BREAKPOINTS) {          /* begin anew with those that are set */
            memcpy(m->planted, addresses, count * sizeof *addresses);
            planted = count;
            m->planted_count = 0;
            break;
        }
        m->planted[planted++] = addresses[i];
    }
    if (planted != m->planted_count)
        machine_flush_code(m);
    m->planted_count = planted;
    return 0;
}

int machine_set_watchpoints(struct machine *m, const struct watchpoint *points, uint32_t count)
{
    if (count > ENGINE_WATCHPOINTS)
        return -EINVAL;
    if (count != m->watchpoint_count || memcmp(points, m->watchpoints, count * sizeof *points) != 0)
        machine_tlb_stale(m);                         /* accesses are looked up on other pages */
    m->watchpoint_count = count;
    memcpy(m->watchpoints, points, count * sizeof *points);
    return 0;
}

bool watchpoint_has(const struct watchpoint *w, uint64_t va, uint64_t size, uint32_t kinds)
{
    return w->kinds & kinds && va <= w->va + (w->bytes - 1) && w->va <= va + (size - 1);
}

bool machine_watched_at(const struct machine *m, uint64_t va, uint64_t size, uint32_t kinds)
{
    for (uint32_t i = 0; i < m->watchpoint_count; i++)
        if (watchpoint_has(&m->watchpoints[i], va, size, kinds))
            return true;
    return false;
}
