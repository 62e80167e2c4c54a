/* machine.c - RAM, the arena behind it, and host access to both.
 *
 * One memfd mapping holds everything that a guest's run can change. Every host write to guest memory passes through
 * machine_write_begin(), which marks the frame dirty and forgets the code that was translated from it, and the translations of
 * addresses that were read from it.
 */
#include "machine.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int machine_create(struct machine **out, uint64_t frames, uint64_t arena_bytes)
{
    if (frames == 0 || frames > (UINT64_C(1) << 28))
        return -EINVAL;
    uint64_t bytes = frames * ENGINE_PAGE_SIZE + arena_bytes;
    struct machine *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->fd = memfd_create("xenlab-machine", MFD_CLOEXEC);
    m->flags = calloc(frames, 1);
    m->flips = calloc(frames, 1);
    m->tables = calloc(frames, sizeof *m->tables);
    if (m->fd < 0 || !m->flags || !m->flips || !m->tables || ftruncate(m->fd, (off_t)bytes) != 0)
        goto fail;
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);
    if (base == MAP_FAILED)
        goto fail;
    m->base = base;
    m->frames = frames;
    m->arena_bytes = arena_bytes;
    *out = m;
    return 0;
fail:
    if (m->fd >= 0)
        close(m->fd);
    free(m->flags);
    free(m->flips);
    free(m->tables);
    free(m);
    return -ENOMEM;
}

void machine_destroy(struct machine *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i])
            cpu_destroy(m->cpus[i]);
    machine_coverage_stop(m);
    image_release(m->base_image);
    munmap(m->base, m->frames * ENGINE_PAGE_SIZE + m->arena_bytes);
    close(m->fd);
    free(m->flags);
    free(m->flips);
    free(m->tables);
    free(m);
}

uint64_t machine_frames(const struct machine *m) { return m->frames; }

uint64_t machine_arena_bytes(const struct machine *m) { return m->arena_bytes; }

void *machine_arena(const struct machine *m) { return m->base + m->frames * ENGINE_PAGE_SIZE; }

void *machine_frame(const struct machine *m, uint64_t frame)
{
    return frame < m->frames ? m->base + frame * ENGINE_PAGE_SIZE : NULL;
}

void machine_set_ops(struct machine *m, const struct engine_ops *ops) { m->ops = *ops; }

void machine_write_begin(struct machine *m, uint64_t frame)
{
    if (frame >= m->frames)
        return;
    m->flags[frame] |= FRAME_DIRTY;
    if (m->flags[frame] & FRAME_CODE)
        machine_drop_code(m, frame);
    machine_forget_table(m, frame);
}

static bool in_ram(const struct machine *m, uint64_t pa, uint64_t len)
{
    uint64_t bytes = m->frames * ENGINE_PAGE_SIZE;
    return pa <= bytes && len <= bytes - pa;
}

int machine_read(const struct machine *m, uint64_t pa, void *out, uint64_t len)
{
    if (!in_ram(m, pa, len))
        return -EFAULT;
    memcpy(out, m->base + pa, len);
    return 0;
}

int machine_write(struct machine *m, uint64_t pa, const void *data, uint64_t len)
{
    if (!in_ram(m, pa, len))
        return -EFAULT;
    if (len == 0)
        return 0;
    for (uint64_t f = pa >> ENGINE_PAGE_SHIFT; f <= (pa + len - 1) >> ENGINE_PAGE_SHIFT; f++)
        machine_write_begin(m, f);
    memcpy(m->base + pa, data, len);
    return 0;
}

void machine_tlb_stale(struct machine *m) { m->tlb_epoch++; }

void machine_set_block_limit(struct machine *m, uint32_t limit)
{
    m->block_limit = limit;
    machine_flush_code(m);
}
