/* cpu.c - a cpu as the layers above see it, whatever its architecture: making, running and leaving one, time and budget.
 *
 * What an architecture does in its own way is asked of its table (cpu.h).
 */
#include "cpu.h"

/* enum cpu_model, in its order */
static const struct cpu_kind *kind_of(enum cpu_model model)
{
    switch (model) {
    case CPU_X86_64:
        return &x86_kind;
    case CPU_ARM64:
    case CPU_ARM32:
        return &arm_kind;
    default:
        return NULL;
    }
}

bool cpu_enter(struct machine *m, struct cpu *c)
{
    int index = 0;
    while (index < ENGINE_MAX_CPUS && m->cpus[index])
        index++;
    if (index == ENGINE_MAX_CPUS)
        return false;
    c->index = index;
    m->cpus[index] = c;
    if (m->cpu_count <= index)
        m->cpu_count = index + 1;
    return true;
}

int cpu_create(struct machine *m, enum cpu_model model, struct cpu **out)
{
    const struct cpu_kind *kind = kind_of(model);
    return kind ? kind->create(m, model, out) : -EINVAL;
}

void cpu_destroy(struct cpu *c)
{
    c->m->cpus[c->index] = NULL;
    c->kind->destroy(c);
}

int cpu_set_ops(struct cpu *c, const struct engine_ops *ops)
{
    c->ops = ops;
    return c->kind->set_ops(c);
}

int cpu_index(const struct cpu *c) { return c->index; }

struct cpu_exit *cpu_exit_record(struct cpu *c) { return &c->exit; }

int cpu_run(struct cpu *c, int64_t budget, struct cpu_exit *exit)
{
    memset(&c->exit, 0, sizeof c->exit);
    c->budget = *c->left = budget;
    c->block = NULL;
    c->settled = false;
    c->leaving = false;
    c->stop_asked = false;
    c->trap_at = -1;
    cpu_tlb_sync(c);
    if (budget <= 0) {
        c->exit.reason = EXIT_BUDGET;
    } else {
        c->running = true;
        c->kind->run(c);
        c->running = false;
        c->block = NULL;
    }
    *exit = c->exit;
    return (int)c->exit.reason;
}

void cpu_kick(struct cpu *c) { __atomic_store_n(&c->kicked, true, __ATOMIC_RELAXED); }

void cpu_run_alone(struct cpu *c) { c->run_alone = true; }

void cpu_next_alone(struct cpu *c) { c->kind->next_alone(c); }

/* ---- time ---- */

int64_t cpu_retired(const struct cpu *c)
{
    return c->budget - *c->left - c->held - (c->block ? c->kind->unretired(c) : 0);
}

void cpu_retire(struct cpu *c)
{
    --*c->left;
    c->m->hooked++;
}

void cpu_unretire(struct cpu *c)
{
    ++*c->left;
    c->m->hooked--;
}

bool cpu_undisturbed(const struct cpu *c)
{
    int64_t retired = cpu_retired(c);
    return retired > 0 && c->trap_at != retired;
}

void cpu_leave_at_breakpoint(struct cpu *c)
{
    memset(&c->exit, 0, sizeof c->exit);
    c->exit.reason = EXIT_BREAKPOINT;
    c->exit.flags = cpu_undisturbed(c) ? 0 : TRAP_LATE;
    c->exit.address = cpu_pc(c);
}

void cpu_shorten(struct cpu *c, int64_t budget)
{
    if (budget < c->budget)
        cpu_set_budget(c, budget);
}

void cpu_set_budget(struct cpu *c, int64_t budget)
{
    *c->left += budget - c->budget;
    c->budget = budget;
}

/* ---- state ---- */

uint64_t cpu_pc(struct cpu *c) { return c->kind->pc(c); }

void cpu_set_pc(struct cpu *c, uint64_t pc) { c->kind->set_pc(c, pc); }

size_t cpu_state_bytes(enum cpu_model model)
{
    const struct cpu_kind *kind = kind_of(model);
    return kind ? kind->state_bytes : 0;
}

void cpu_save(struct cpu *c, void *out) { c->kind->save(c, out); }

void cpu_load(struct cpu *c, const void *in) { c->kind->load(c, in); }

/* ---- cached translations ---- */

void cpu_tlb_sync(struct cpu *c)
{
    if (c->epoch != c->m->tlb_epoch) {
        c->epoch = c->m->tlb_epoch;
        c->kind->flush(c);
    }
}

void cpu_tlb_flush(struct cpu *c) { c->kind->flush(c); }

bool cpu_next_cached(struct cpu *c, uint64_t *at, struct cached *out)
{
    return c->epoch == c->m->tlb_epoch && c->kind->next_cached(c, at, out);
}
