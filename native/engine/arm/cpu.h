/* cpu.h - an ARM cpu and its libunicorn instance: EL1 and EL0 of a Cortex-A57, in AArch64 or AArch32 state. Private to the engine.
 *
 * EL2 and EL3 exist in libunicorn, with nothing in them: HVC and SMC are ours. EL1 is non-secure.
 */
#ifndef XENLAB_ARM_CPU_H
#define XENLAB_ARM_CPU_H
#define T(name) name##_aarch64
#define DEVICE_WINDOW_BIT 46      /* of 48 that a physical address has */
#define target_kind arm_kind
#include "unicorn_internals.h"
#include "../target/target.h"

struct arm_cpu {
    struct cpu c;
    bool narrow;                  /* EL1 is in AArch32 state */
    bool refusing;                /* the next access to device page `refused` is an external abort (traps.c) */
    uint64_t refused;
    unsigned lines;               /* LINE_* */
    bool stack_aligned;           /* while translating: SP is known to be, here in the block */
    unsigned alignment;           /* what the instruction asks of its accesses, */
    unsigned first_access;        /* and of the next one, if not 0 (checks.c) */
};
#define ARM(cpu) ((struct arm_cpu *)(cpu))
enum { LINE_IRQ = 1, LINE_FIQ = 2 };

/* What the manual numbers (DDI 0487): PSTATE as SPSR_EL1 has it, exception classes of ESR, SCTLR_EL1. */
enum {
    PSTATE_SP = 1, PSTATE_EL = 3 << 2, PSTATE_NRW = 1 << 4, PSTATE_F = 1 << 6, PSTATE_I = 1 << 7, PSTATE_DAIF = 0xf << 6, PSTATE_C = 1 << 29,
    PSTATE_Z = 1 << 30, PSTATE_BTYPE = 3 << 10,
    PSTATE_IL = 1 << 20
};
#define PSTATE_N (1u << 31)
#define PSTATE_V (1u << 28)
enum { CPSR_T = 1 << 5, CPSR_MODE = 0x1f };
enum { MODE_USR = 0x10, MODE_FIQ = 0x11, MODE_IRQ = 0x12, MODE_SVC = 0x13, MODE_ABT = 0x17, MODE_UND = 0x1b, MODE_SYS = 0x1f };
enum {
    EC_UNKNOWN = 0, EC_WFX = 1, EC_CP15_32 = 3, EC_CP15_64 = 4, EC_CP14_32 = 5, EC_ILLEGAL = 0x0e, EC_SVC32 = 0x11,
    EC_HVC32 = 0x12, EC_SVC64 = 0x15, EC_HVC64 = 0x16, EC_SMC64 = 0x17, EC_SYSREG = 0x18, EC_FETCH_LOWER = 0x20, EC_FETCH = 0x21,
    EC_PC_ALIGNMENT = 0x22, EC_DATA_LOWER = 0x24, EC_DATA = 0x25, EC_SP_ALIGNMENT = 0x26, EC_SHIFT = 26
};
#define ESR_IL (1u << 25)
enum { ISS_WNR = 1 << 6, ISS_CM = 1 << 8 };
#define SCTLR_M    (UINT64_C(1) << 0)
#define SCTLR_A    (UINT64_C(1) << 1)
#define SCTLR_SA   (UINT64_C(1) << 3)
#define SCTLR_SA0  (UINT64_C(1) << 4)
#define SCTLR_NTWI (UINT64_C(1) << 16)
#define SCTLR_WXN  (UINT64_C(1) << 19)
#define SCTLR_E0E  (UINT64_C(1) << 24)
#define SCTLR_EE   (UINT64_C(1) << 25)
#define SCTLR_AFE  (UINT64_C(1) << 29)
#define ID(register) ENV(uint64_t, register + 8)          /* EL1's of an array that has one for each level */

/* libunicorn's own functions */
extern void raise_exception_aarch64(void *env, uint32_t number, uint32_t syndrome, uint32_t level) __attribute__((noreturn));
/* traps.c stands in for it */
void __wrap_raise_exception_ra_aarch64(void *env, uint32_t number, uint32_t syndrome, uint32_t level, uintptr_t ra)
    __attribute__((noreturn));
extern void arm_cpu_do_interrupt_aarch64(void *cs);
extern void arm_rebuild_hflags_aarch64(void *env);
extern uint32_t cpsr_read_aarch64(void *env);
extern void cpsr_write_aarch64(void *env, uint32_t value, uint32_t mask, int how);
extern uint32_t vfp_get_fpscr_aarch64(void *env);
extern void vfp_set_fpscr_aarch64(void *env, uint32_t value);
extern uint32_t cpu_ldl_code_aarch64(void *env, uint64_t va);

/* Is the cpu in AArch32 state just now? The exception level that it is at: 0 or 1. */
static inline bool arm_is_narrow(const struct cpu *c) { return !FIELD(const uint32_t, c->env, U_ENV_AARCH64); }
unsigned arm_level(const struct cpu *c);

/* ---- cpu.c: of struct cpu_kind ---- */
int arm_create(struct machine *m, enum cpu_model model, struct cpu **out);
void arm_destroy(struct cpu *c);
int arm_set_ops(struct cpu *c);
uint64_t arm_pc(struct cpu *c);
void arm_set_pc(struct cpu *c, uint64_t pc);

/* ---- state.c ---- */
void arm_save(struct cpu *c, void *out);
void arm_load(struct cpu *c, const void *in);

/* ---- walk.c, short.c: stage 1 ---- */
/* Why a translation was refused: as the long descriptors' fault status codes number it, at which level. */
struct arm_fault { uint32_t status; uint32_t domain; };
enum { FAULT_SIZE = 0x00, FAULT_TRANSLATION = 0x04, FAULT_ACCESS_FLAG = 0x08, FAULT_PERMISSION = 0x0c, FAULT_ALIGNMENT = 0x21,
       FAULT_EXTERNAL = 0x10, FAULT_EXTERNAL_WALK = 0x14, FAULT_DOMAIN = 0x3c };
/* One level's entry that a walk went through: where in machine memory, and for the guest; what it is. */
struct arm_step { uint64_t place, ipa, value; unsigned shift, entry_bytes; uint32_t table_bytes; };
struct arm_walk { struct arm_step steps[4]; int count; };
/* Translate `va` to *ipa with rights *prot (MAP_*). `flags`: whether access flags matter. false: *fault. */
bool arm_stage1(struct cpu *c, uint64_t va, enum access access, bool user, bool flags, uint64_t *ipa, uint32_t *prot,
                struct arm_fault *fault, struct arm_walk *walk);
bool arm_stage1_short(struct cpu *c, uint32_t va, enum access access, bool user, bool flags, uint64_t *ipa, uint32_t *prot,
                      struct arm_fault *fault, struct arm_walk *walk);
/* An entry of a table, noted in `walk`; false: nothing is there, *fault. `level`: of the table. */
bool arm_read_entry(struct cpu *c, uint64_t ipa, const struct arm_step *step, int level, uint64_t *entry, struct arm_fault *fault,
                    struct arm_walk *walk);
/* Are the tables of AArch32's short format? */
bool arm_short_tables(struct cpu *c);

/* ---- fill.c ---- */
/* Take the abort of an access to `va` that met `fault`. `ra` as everywhere. */
void arm_abort(struct cpu *c, uint64_t va, enum access access, const struct arm_fault *fault, uintptr_t ra) __attribute__((noreturn));

/* ---- traps.c ---- */
/* No instruction, but looking for the next one raises an exception: it is the next step, if the budget has one. */
void arm_between_blocks(struct cpu *c);
/* A branch of AArch64 went to an address that is no multiple of 4: the fault is that of the target, and comes before any of its
 * memory (DDI 0487, "PC alignment checking"). Returns if it is one, or in AArch32 state. */
void arm_check_pc(struct cpu *c, uint64_t pc);

/* For checks.c, which emits calls of it. Need not return. */
void __wrap_helper_exception_with_syndrome_aarch64(char *env, uint32_t number, uint32_t syndrome, uint32_t level);

/* ---- checks.c ---- */
/* SCTLR, CPACR or PSTATE.IL may have changed. */
void arm_settle_checks(struct cpu *c);
/* The same for IL alone, which every exception clears. */
void arm_exception_taken(struct cpu *c);

/* CPUClass.do_unaligned_access */
typedef void unaligned_fn(void *cs, uint64_t va, int access, int mmu, uintptr_t ra);
void arm_unaligned(void *cs, uint64_t va, int access, int mmu, uintptr_t ra) __attribute__((noreturn));

/* ---- id.c ---- */
/* What an identification register of the model reads, for what of it exists here; false: it is none. `key`: ARM_ID(). */
#define ARM_ID(op1, crn, crm, op2) ((uint32_t)((op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))
bool arm_identification(const struct cpu *c, uint32_t key, uint64_t *value);

#endif
