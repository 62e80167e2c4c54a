/* harness.c - the engine without a hypervisor: flat page tables, and a log of every trap. Built and driven by
 * tests/engine/bench.py's Bench; each test runs a few instructions of assembly on it. */
#include <stdlib.h>
#include <unicorn/unicorn.h>
#include "engine/x86/cpu.h"
#include "harness.h"

enum { FIRST_TABLE = 2, ROOT = 1 };

struct bench {
    struct machine *m;
    uint64_t next_table;
    struct trap log[BENCH_LOG];
    int64_t when[BENCH_LOG];
    uint64_t rip[BENCH_LOG];
    uint32_t count;
    uint64_t before;                       /* retired in earlier runs: the clock goes on */
    int64_t pass, stop_at;                 /* stop points: how many to pass, and the count at the last */
    uint64_t stop_pc;
    struct touch touch;
    uint32_t touches;
    uint32_t skip;                         /* bytes by which a fault's rip is moved on; 0: leave */
};

static bool on_exception(void *ctx, struct cpu *c, const struct trap *trap)
{
    struct bench *b = ctx;
    uint32_t n = b->count < BENCH_LOG ? b->count++ : BENCH_LOG - 1;
    b->log[n] = *trap;
    b->when[n] = cpu_retired(c);
    b->rip[n] = cpu_gprs(c)->rip;
    if (trap->flags & TRAP_SOFTWARE || trap->vector == 1)
        return true;
    if (b->skip) {
        cpu_gprs(c)->rip += b->skip;
        return true;
    }
    struct cpu_exit *e = cpu_exit_record(c);
    e->reason = EXIT_EXCEPTION;
    e->vector = trap->vector;
    e->error = trap->error;
    e->address = trap->address;
    return false;
}

/* rax = 0: leave; otherwise go on */
static bool on_syscall(void *ctx, struct cpu *c)
{
    (void)ctx;
    struct cpu_exit *e = cpu_exit_record(c);
    e->reason = EXIT_HYPERCALL;
    e->nr = cpu_gprs(c)->rax;
    return cpu_gprs(c)->rax != 0;
}

static bool translate(void *ctx, struct cpu *c, uint64_t va, enum access access, bool user, struct mapping *map)
{
    struct bench *b = ctx;
    return x86_translate(b->m, cpu_cr(c, 3), 4, true, va, access, user, true, true, map, NULL);
}

static void cpuid(void *ctx, struct cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)ctx, (void)c;
    for (uint32_t i = 0; i < 4; i++)
        out[i] = leaf * 16 + subleaf + i;
}

static uint64_t tsc(void *ctx, struct cpu *c) { return ((struct bench *)ctx)->before + (uint64_t)cpu_retired(c); }

static enum io_answer on_io(void *ctx, struct cpu *c, struct io_access *access)
{
    (void)ctx, (void)c;
    access->value = UINT64_MAX;
    return access->address == 0x80 ? IO_DONE : IO_FAULT;
}

/* Stop points: the first `pass` of them let the program go on. */
static bool on_breakpoint(void *ctx, struct cpu *c, uint64_t pc)
{
    struct bench *b = ctx;
    b->stop_pc = pc;
    b->stop_at = cpu_retired(c);
    return b->pass-- == 0;
}

static bool on_watched(void *ctx, struct cpu *c, const struct touch *touches, uint32_t count)
{
    struct bench *b = ctx;
    b->touch = touches[0];
    b->touches = count;
    b->stop_at = cpu_retired(c);
    return b->pass-- == 0;
}

uint32_t bench_touches(const struct bench *b) { return b->touches; }
void bench_pass(struct bench *b, int64_t stops) { b->pass = stops; }
int64_t bench_stop(const struct bench *b, uint64_t *pc, struct touch *touch)
{
    *pc = b->stop_pc;
    *touch = b->touch;
    return b->stop_at;
}

struct bench *bench_create(uint64_t frames)
{
    struct bench *b = calloc(1, sizeof *b);
    const struct engine_ops ops = {
        .ctx = b, .exception = on_exception, .syscall = on_syscall, .sysenter = on_syscall, .translate = translate,
        .cpuid = cpuid, .tsc = tsc, .io = on_io, .breakpoint = on_breakpoint, .watched = on_watched,
    };
    if (!b || machine_create(&b->m, frames, 4096) != 0)
        abort();
    machine_set_ops(b->m, &ops);
    b->next_table = FIRST_TABLE;
    return b;
}

void bench_destroy(struct bench *b)
{
    machine_destroy(b->m);
    free(b);
}

struct machine *bench_machine(struct bench *b) { return b->m; }

static void write_pte(struct bench *b, uint64_t va, uint64_t pte)
{
    uint64_t table = ROOT;
    for (int level = 3; level > 0; level--) {
        uint64_t *entry = (uint64_t *)machine_frame(b->m, table) + ((va >> (12 + 9 * level)) & 511);
        if (!(*entry & 1)) {
            machine_write_begin(b->m, table);
            *entry = b->next_table++ << 12 | 7;
        }
        table = *entry >> 12 & 0xfffffffff;
    }
    machine_write_begin(b->m, table);
    ((uint64_t *)machine_frame(b->m, table))[(va >> 12) & 511] = pte;
}

void bench_map(struct bench *b, uint64_t va, uint64_t frame, uint64_t flags)
{
    write_pte(b, va, frame << 12 | flags);
    machine_tlb_stale(b->m);
}

void bench_remap(struct bench *b, struct cpu *c, uint64_t va, uint64_t frame, uint64_t from, uint64_t to)
{
    write_pte(b, va, frame << 12 | 7);
    c->kind->drop_range(c, from, to);
}

uint64_t bench_pte(struct bench *b, uint64_t va)
{
    struct x86_walk walk;
    struct mapping map;
    x86_translate(b->m, (uint64_t)ROOT << 12, 4, true, va, ACCESS_READ, true, true, false, &map, &walk);
    return walk.entry[0];
}

void bench_reset(struct bench *b, struct cpu *c, uint64_t rip, uint64_t rsp)
{
    struct x86_state s;
    memset(&s, 0, sizeof s);
    s.cr0 = 0x80050033;
    s.cr4 = 0x620;
    s.efer = 0xd01;
    s.cr3 = (uint64_t)ROOT << 12;
    s.rflags = 0x202;
    s.gprs.rip = rip;
    s.gprs.rsp = rsp;
    const struct x86_segment_state code = {0xe033, 0xffffffff, 0xa0fb00, 0, 0}, data = {0xe02b, 0xffffffff, 0xc0f300, 0, 0};
    for (int i = 0; i < 6; i++)
        s.segments[i] = data;
    s.segments[SEG_CS] = code;
    s.fcw = 0x37f;
    s.mxcsr = 0x1f80;
    s.dr[6] = 0xffff0ff0;
    s.dr[7] = 0x400;
    cpu_set_state(c, &s);
    b->count = 0;
    b->before = 0;
}

int bench_run(struct bench *b, struct cpu *c, int64_t budget, struct cpu_exit *exit)
{
    int reason = cpu_run(c, budget, exit);
    b->before += (uint64_t)cpu_retired(c);
    return reason;
}

uint32_t bench_log(struct bench *b, struct trap *traps, int64_t *when, uint64_t *rip, uint32_t max)
{
    uint32_t n = b->count < max ? b->count : max;
    memcpy(traps, b->log, n * sizeof *traps);
    memcpy(when, b->when, n * sizeof *when);
    memcpy(rip, b->rip, n * sizeof *rip);
    return n;
}

void bench_skip(struct bench *b, uint32_t bytes) { b->skip = bytes; }

