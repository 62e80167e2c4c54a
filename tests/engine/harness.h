/* harness.h - interface of harness.c, read by the C compiler and by cffi. */
#ifndef ENGINE_HARNESS_H
#define ENGINE_HARNESS_H
#include "engine/engine.h"

enum { BENCH_LOG = 4096 };
struct bench;
struct bench *bench_create(uint64_t frames);
void bench_destroy(struct bench *b);
struct machine *bench_machine(struct bench *b);
void bench_map(struct bench *b, uint64_t va, uint64_t frame, uint64_t flags);
/* Map `va` to another frame, and drop of the cached translations only those of [from, to). */
void bench_remap(struct bench *b, struct cpu *c, uint64_t va, uint64_t frame, uint64_t from, uint64_t to);
uint64_t bench_pte(struct bench *b, uint64_t va);
void bench_reset(struct bench *b, struct cpu *c, uint64_t rip, uint64_t rsp);
int bench_run(struct bench *b, struct cpu *c, int64_t budget, struct cpu_exit *exit);
uint32_t bench_log(struct bench *b, struct trap *traps, int64_t *when, uint64_t *rip, uint32_t max);
void bench_pass(struct bench *b, int64_t stops);
int64_t bench_stop(const struct bench *b, uint64_t *pc, struct touch *touch);
/* Of the last stop at an access: how many watchpoints it touched. */
uint32_t bench_touches(const struct bench *b);
void bench_skip(struct bench *b, uint32_t bytes);

#endif
