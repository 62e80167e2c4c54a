/* target.h - the mechanisms that every architecture has in the same way, compiled once for each of libunicorn's targets.
 *
 * An architecture's cpu.h says T(name), which adds the target's suffix, includes its unicorn_internals.h (the same names in
 * each, with that target's numbers) and then this file; its .c files include those of this folder, and define the functions
 * under "what an architecture does" below.
 */
#ifndef XENLAB_TARGET_H
#define XENLAB_TARGET_H
#include "../cpu.h"

#define TARGET_PASTE(a, b) a##b
#define TARGET_PASTE2(a, b) TARGET_PASTE(a, b)
/* What the linker makes of a wrapped function: ours, and libunicorn's. */
#define WRAP(name) TARGET_PASTE2(__wrap_, T(name))
#define REAL(name) TARGET_PASTE2(__real_, T(name))

#define ENV(type, offset) FIELD(type, c->env, offset)
#define CS(type, offset) FIELD(type, c->cs, offset)
/* Instructions left of the budget. A block charges itself in full when it starts; generated code does that. */
#define LEFT ENV(int64_t, U_ENV_TO_LEFT)

/* These functions are compiled once for each target: */
#define cpu_of_context T(cpu_of_context)
#define cpu_constant T(cpu_constant)
#define cpu_set_label T(cpu_set_label)
#define cpu_unretired T(cpu_unretired)
#define cpu_block_at T(cpu_block_at)
#define cpu_settle T(cpu_settle)
#define cpu_watch_next T(cpu_watch_next)
#define cpu_watch_forget T(cpu_watch_forget)
#define cpu_map_device_window T(cpu_map_device_window)
#define cpu_again_alone T(cpu_again_alone)
#define cpu_leave_before T(cpu_leave_before)
#define cpu_is_alone T(cpu_is_alone)
#define cpu_ask T(cpu_ask)
#define cpu_leave_helper T(cpu_leave_helper)
#define cpu_leave T(cpu_leave)
#define cpu_open T(cpu_open)
#define cpu_close T(cpu_close)
#define cpu_insert T(cpu_insert)
#define target_translate_insn T(target_translate_insn)
#define target_begin_block T(target_begin_block)
#define target_at_block T(target_at_block)
#define target_linear_pc T(target_linear_pc)
#define target_helper_ra T(target_helper_ra)
#define target_restored T(target_restored)
#define target_watched T(target_watched)
#define target_waiting T(target_waiting)
#define target_debug_exception T(target_debug_exception)
#define target_refuse_io T(target_refuse_io)

static inline struct cpu *cpu_of_cs(char *cs) { return FIELD(struct cpu *, cs, U_CS_OPAQUE); }
static inline struct cpu *cpu_of_env(char *env) { return cpu_of_cs(env - U_CS_TO_ENV); }

/* In a function that generated code calls: where that goes on. */
#define RETURN_ADDRESS ((uintptr_t)__builtin_return_address(0))

/* libunicorn's own functions */
typedef struct uc_struct uc_struct;
typedef struct TCGTemp TCGTemp;
extern int T(cpu_exec)(uc_struct *uc, void *cs);
extern void T(cpu_loop_exit)(void *cs) __attribute__((noreturn));
extern void T(cpu_loop_exit_restore)(void *cs, uintptr_t ra) __attribute__((noreturn));
extern void T(tlb_flush)(void *cs);
extern void T(tlb_set_page)(void *cs, uint64_t va, uint64_t pa, int prot, int mmu, uint64_t size);
extern void T(tb_flush)(void *cs);
extern void T(tb_invalidate_phys_range)(uc_struct *uc, uint64_t start, uint64_t end);
extern TCGTemp *T(tcg_temp_new_internal)(void *ctx, int type, bool local);
extern void T(tcg_temp_free_internal)(void *ctx, TCGTemp *temp);
extern void REAL(tcg_gen_callN)(void *ctx, void *function, TCGTemp *ret, int n, TCGTemp **args);
extern uint32_t T(cpu_ldl_mmuidx_ra)(void *env, uint64_t va, int mmu, uintptr_t ra);

/* ---- count.c ---- */
/* The cpu that a translator's context belongs to. */
struct cpu *cpu_of_context(void *ctx);
/* The temporary that leads to a cpu's state: the first one of every context. */
static inline TCGTemp *cpu_env_temp(void *ctx) { return (TCGTemp *)((char *)ctx + U_TCG_TEMPS); }
/* A new temporary that holds `value`. `type`: U_TCG_T_I32, U_TCG_T_I64. */
TCGTemp *cpu_constant(void *ctx, int type, uint64_t value);
/* A label of the block that is translated stands here. */
void cpu_set_label(void *ctx, void *label);
/* The registers become those of the instruction at `ra`; `will_exit`: generated code is left for good. */
bool WRAP(cpu_restore_state)(char *cs, uintptr_t ra, bool will_exit);
/* Of c->block, how many instructions from `pc` on have not retired. */
int64_t cpu_unretired(const struct cpu *c, uint64_t pc);
/* The block whose code holds host address `ra`, NULL: none. */
const char *cpu_block_at(struct cpu *c, uintptr_t ra);
/* Give back what the running block has not retired; the instruction `length` bytes behind the present one is the next to run. */
void cpu_settle(struct cpu *c, uintptr_t ra, int length);

/* ---- watch.c ---- */
/* At the start of a block of `count` instructions that found no budget, while a data breakpoint holds it back: gives it
 * back. Returns only when it really does not suffice; else the block runs, or the guest's own debug exception is raised. */
void cpu_watch_next(struct cpu *c, int64_t count);
/* The instruction did not complete: its data breakpoint comes again. */
void cpu_watch_forget(struct cpu *c);

/* ---- io.c ---- */
/* As large as the guest-physical space: a walk gives no frame that is not in it. */
#define DEVICE_WINDOW (UINT64_C(1) << DEVICE_WINDOW_BIT)/* physical address, to libunicorn, of MAP_DEVICE frame 0 */
int cpu_map_device_window(struct cpu *c);
/* Execute the instruction at `ra` again, alone. */
void cpu_again_alone(struct cpu *c, uintptr_t ra) __attribute__((noreturn));
/* Leave cpu_run() before the instruction at `ra`; the exit record is filled in. */
void cpu_leave_before(struct cpu *c, uintptr_t ra) __attribute__((noreturn));
/* Inside a call from generated code: does nothing follow the instruction in its block? */
bool cpu_is_alone(struct cpu *c, uintptr_t ra);
/* Have the layer above answer an access of the instruction at `ra`; need not return. */
uint64_t cpu_ask(struct cpu *c, struct io_access *access, uintptr_t ra);

/* ---- tlb.c ---- */
typedef bool tlb_fill_fn(void *cs, uint64_t va, int size, int access, int mmu, bool probe, uintptr_t ra);
/* Cache that `va` is what `map` says, which allows `access`, for libunicorn's mode `mmu`. */
void cpu_insert(struct cpu *c, uint64_t va, const struct mapping *map, int size, enum access access, int mmu, uintptr_t ra);

/* ---- run.c ---- */
/* Open libunicorn for c->m and hook it up. `arch`, `mode`: uc_open()'s; `model`: its number of the processor, -1: its own
 * choice. 0, -ENOMEM, or -ENOSYS (the library is not the one that the numbers are from). */
int cpu_open(struct cpu *c, int arch, int mode, int model);
void cpu_close(struct cpu *c);
/* Leave cpu_exec from a helper that generated code called; the exit record is filled in. */
void cpu_leave_helper(struct cpu *c) __attribute__((noreturn));
/* Leave it between two blocks. */
void cpu_leave(struct cpu *c);

/* ---- what an architecture does ---- */
/* Translate one instruction, by c->translate_insn, with whatever is to be emitted around it. */
void target_translate_insn(struct cpu *c, void *ctx, char *db, void *cs);
/* A block is about to be translated. */
void target_begin_block(struct cpu *c);
/* Make the program counter that of the first instruction of a block. */
void target_at_block(struct cpu *c, const char *tb);
/* The program counter as blocks have it. */
uint64_t target_linear_pc(const struct cpu *c);
/* The address in generated code for `ra`, at which libunicorn thinks that one of its helpers will return. */
uintptr_t target_helper_ra(struct cpu *c, uintptr_t ra);
/* The instruction was undone, generated code is being left. */
void target_restored(struct cpu *c);
/* Which of the guest's own data breakpoints have one of `size` bytes at `va`; those that wait for such an access. */
uint32_t target_watched(struct cpu *c, uint64_t va, uint64_t size);
uint32_t target_waiting(struct cpu *c, uint32_t found, bool write);
/* An access that hit these has retired. */
void target_debug_exception(struct cpu *c, uint32_t found) __attribute__((noreturn));
/* IO_FAULT: the architecture's exception of the instruction at `ra`. */
void target_refuse_io(struct cpu *c, const struct io_access *access, uintptr_t ra) __attribute__((noreturn));
/* Its tlb_fill, exec_interrupt, and what its exceptions and undefined instructions come to (user: the cpu). */
tlb_fill_fn T(target_tlb_fill);
typedef bool exec_interrupt_fn(void *cs, int request);
exec_interrupt_fn T(target_exec_interrupt);
void T(target_exception)(uc_struct *uc, uint32_t vector, void *user);
bool T(target_undefined)(uc_struct *uc, void *user);
/* Was the register that the public API wrote found where the numbers say? */
bool T(target_proven)(struct cpu *c);
/* Before the execution loop is entered, and after it came back. */
void T(target_enter)(struct cpu *c);
void T(target_back)(struct cpu *c);

#endif
