/* code.c - translated code and cached translations, over all cpus of a machine. */
#include "cpu.h"

void machine_drop_blocks(struct machine *m, uint64_t frame)
{
    uint64_t pa = frame << ENGINE_PAGE_SHIFT;
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i])
            m->cpus[i]->kind->drop_blocks(m->cpus[i], pa, pa + ENGINE_PAGE_SIZE);
    m->flags[frame] &= (uint8_t)~(FRAME_CODE | FRAME_MIXED);
}

void machine_drop_code(struct machine *m, uint64_t frame)
{
    machine_drop_blocks(m, frame);
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i])
            m->cpus[i]->kind->drop_executable(m->cpus[i], frame);
}

void machine_drop_writable(struct machine *m, uint64_t frame)
{
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i])
            m->cpus[i]->kind->drop_writable(m->cpus[i], frame);
    m->flags[frame] &= (uint8_t)~FRAME_WRITABLE;
}

void machine_flush_code(struct machine *m)
{
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i])
            m->cpus[i]->kind->flush_code(m->cpus[i]);
}

int machine_count_by_hook(struct machine *m)
{
    m->stepwise = true;
    machine_flush_code(m);
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i] && m->cpus[i]->kind->hook_count(m->cpus[i]) != 0)
            return -ENOMEM;
    m->hooked = 0;
    return 0;
}

int64_t machine_hooked(const struct machine *m) { return m->hooked; }
