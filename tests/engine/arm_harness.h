/* arm_harness.h - interface of arm_harness.c, read by the C compiler and by cffi. */
#ifndef ENGINE_ARM_HARNESS_H
#define ENGINE_ARM_HARNESS_H
#include "harness.h"

/* Guest-physical memory is the machine's from BENCH_RAM on; BENCH_DEVICE answers loads with the offset and keeps stores. */
enum { BENCH_RAM = 0x40000000, BENCH_DEVICE = 0x9000000 };
struct arm_bench;
struct arm_bench *arm_bench_create(uint64_t frames);
void arm_bench_destroy(struct arm_bench *b);
struct machine *arm_bench_machine(struct arm_bench *b);
/* A run; instructions of it are part of CNTVCT from then on. */
int arm_bench_run(struct arm_bench *b, struct cpu *c, int64_t budget, struct cpu_exit *exit);
uint32_t arm_bench_log(struct arm_bench *b, struct trap *traps, int64_t *when, uint64_t *pc, uint32_t max);
void arm_bench_forget(struct arm_bench *b);
/* HVC #1 raises the interrupt line of the caller, HVC #2 lowers it, HVC #0 ends the run; others are counted. */
uint32_t arm_bench_calls(const struct arm_bench *b);
uint64_t arm_bench_stored(const struct arm_bench *b);
/* The last stop point: its count, and where. `pass`: how many to let go by first. */
void arm_bench_pass(struct arm_bench *b, int64_t stops);
int64_t arm_bench_stop(const struct arm_bench *b, uint64_t *pc);

#endif
