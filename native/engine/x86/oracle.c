/* oracle.c - a second opinion on the count of retired instructions, for tests: libunicorn's per-instruction hook.
 *
 * The hook sees an instruction when it starts. Those that fault, or are started again, are taken off where their count is
 * given back (count.c, traps.c); those that the layer above executes itself are added (cpu_retire). It is 5 to
 * 35 times slower than the count that it checks.
 */
#include <unicorn/unicorn.h>
#include "cpu.h"

static void on_instruction(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    (void)uc;
    (void)address;
    (void)size;
    ((struct machine *)user)->hooked++;
}

int machine_count_by_hook(struct machine *m)
{
    m->stepwise = true;
    machine_flush_code(m);
    for (int i = 0; i < m->cpu_count; i++) {
        uc_hook hook;
        if (m->cpus[i] && uc_hook_add((uc_engine *)m->cpus[i]->uc, &hook, UC_HOOK_CODE, (void *)on_instruction, m, 1, 0))
            return -ENOMEM;
    }
    m->hooked = 0;
    return 0;
}

int64_t machine_hooked(const struct machine *m) { return m->hooked; }
