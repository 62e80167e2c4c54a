/* arm_harness.c - an ARM cpu of the engine without a hypervisor: memory in one piece, one device, a log of every exception. */
#include <stdlib.h>
#include <string.h>
#include "arm_harness.h"

struct arm_bench {
    struct machine *m;
    struct trap log[BENCH_LOG];
    int64_t when[BENCH_LOG];
    uint64_t pc[BENCH_LOG];
    uint32_t count, calls;
    uint64_t before, stored;
    int64_t pass, stop_at;
    uint64_t stop_pc;
};

static bool on_exception(void *ctx, struct cpu *c, const struct trap *trap)
{
    struct arm_bench *b = ctx;
    uint32_t n = b->count < BENCH_LOG ? b->count++ : BENCH_LOG - 1;
    b->log[n] = *trap;
    b->when[n] = cpu_retired(c);
    b->pc[n] = cpu_pc(c);
    return true;
}

static bool on_hvc(void *ctx, struct cpu *c, uint32_t immediate)
{
    struct arm_bench *b = ctx;
    b->calls++;
    if (immediate == 1 || immediate == 2)
        cpu_set_lines(c, immediate == 1, false);
    if (immediate)
        return true;
    cpu_exit_record(c)->reason = EXIT_HYPERCALL;
    cpu_exit_record(c)->nr = arm_reg(c, 0);
    return false;
}

static bool on_smc(void *ctx, struct cpu *c, uint32_t immediate)
{
    cpu_exit_record(c)->reason = EXIT_SHUTDOWN;
    cpu_exit_record(c)->nr = immediate;
    (void)ctx;
    return false;
}

static bool on_halt(void *ctx, struct cpu *c)
{
    (void)ctx;
    cpu_exit_record(c)->reason = EXIT_IDLE;
    return false;
}

/* CNTVCT_EL0 is the count; CNTV_CTL_EL0 is a trap for EL0; identification is the engine's; there is nothing else. */
static enum io_answer on_sysreg(void *ctx, struct cpu *c, const struct arm_sysreg *r, bool write, uint64_t *value, bool alone)
{
    struct arm_bench *b = ctx;
    (void)alone;
    if (r->op0 == 3 && r->crn == 0)
        return IO_ENGINE;
    if (r->op0 != 3 || r->op1 != 3 || r->crn != 14)
        return IO_FAULT;
    if (r->crm == 0 && r->op2 == 2 && !write) {
        *value = b->before + (uint64_t)cpu_retired(c);
        return IO_DONE;
    }
    return r->crm == 3 && r->el == 0 ? IO_TRAP : IO_FAULT;
}

static bool on_stage2(void *ctx, struct cpu *c, uint64_t ipa, enum access access, struct mapping *map)
{
    struct arm_bench *b = ctx;
    (void)c;
    (void)access;
    if (ipa >> 12 == BENCH_DEVICE >> 12) {
        map->frame = ipa >> 12;
        map->prot = MAP_READ | MAP_WRITE | MAP_DEVICE;
        return true;
    }
    map->frame = (ipa - BENCH_RAM) >> 12;
    map->prot = MAP_READ | MAP_WRITE | MAP_EXEC;
    return ipa >= BENCH_RAM && map->frame < machine_frames(b->m);
}

static enum io_answer on_io(void *ctx, struct cpu *c, struct io_access *access)
{
    struct arm_bench *b = ctx;
    (void)c;
    if ((access->address & 0xfff) >= 0xf00)
        return IO_FAULT;
    if (access->write)
        b->stored = access->value;
    else
        access->value = access->address & 0xfff;
    return IO_DONE;
}

static bool on_breakpoint(void *ctx, struct cpu *c, uint64_t pc)
{
    struct arm_bench *b = ctx;
    b->stop_pc = pc;
    b->stop_at = cpu_retired(c);
    return b->pass-- == 0;
}

static bool on_watched(void *ctx, struct cpu *c, const struct touch *touches, uint32_t count)
{
    (void)count;
    return on_breakpoint(ctx, c, touches->pc);
}

struct arm_bench *arm_bench_create(uint64_t frames)
{
    struct arm_bench *b = calloc(1, sizeof *b);
    const struct engine_ops ops = {
        .ctx = b, .exception = on_exception, .hvc = on_hvc, .smc = on_smc, .halt = on_halt, .sysreg = on_sysreg, .stage2 = on_stage2,
        .io = on_io, .breakpoint = on_breakpoint, .watched = on_watched,
    };
    if (!b || machine_create(&b->m, frames, 4096) != 0)
        abort();
    machine_set_ops(b->m, &ops);
    return b;
}

void arm_bench_destroy(struct arm_bench *b)
{
    machine_destroy(b->m);
    free(b);
}

struct machine *arm_bench_machine(struct arm_bench *b) { return b->m; }

int arm_bench_run(struct arm_bench *b, struct cpu *c, int64_t budget, struct cpu_exit *exit)
{
    int reason = cpu_run(c, budget, exit);
    b->before += (uint64_t)cpu_retired(c);
    return reason;
}

uint32_t arm_bench_log(struct arm_bench *b, struct trap *traps, int64_t *when, uint64_t *pc, uint32_t max)
{
    uint32_t n = b->count < max ? b->count : max;
    memcpy(traps, b->log, n * sizeof *traps);
    memcpy(when, b->when, n * sizeof *when);
    memcpy(pc, b->pc, n * sizeof *pc);
    return n;
}

void arm_bench_forget(struct arm_bench *b) { b->count = 0; }
uint32_t arm_bench_calls(const struct arm_bench *b) { return b->calls; }
uint64_t arm_bench_stored(const struct arm_bench *b) { return b->stored; }
void arm_bench_pass(struct arm_bench *b, int64_t stops) { b->pass = stops; }
int64_t arm_bench_stop(const struct arm_bench *b, uint64_t *pc)
{
    *pc = b->stop_pc;
    return b->stop_at;
}
