/* cpu.c - ARM cpus: what is made, entered and left in their own way. */
#include <stdlib.h>
#include <unicorn/unicorn.h>
#include "cpu.h"

/* SCR_EL3: EL1 is non-secure, HVC exists, lower levels may be in AArch64 state (RES1: 4, 5). HCR_EL2: EL1 is in AArch64 state. */
enum { SCR_NS = 1 << 0, SCR_RES1 = 3 << 4, SCR_HCE = 1 << 8, SCR_RW = 1 << 10 };
#define HCR_RW (UINT64_C(1) << 31)
enum { START64 = 0x3c5, START32 = 0x1d3 };                /* EL1h, SVC; all interrupts masked */

bool T(target_proven)(struct cpu *c)
{
    uint64_t probe = UINT64_C(0x5eed0b5e55ed0ff5), zero = 0;
    uc_reg_write((uc_engine *)c->uc, UC_ARM64_REG_X0, &probe);
    uint64_t found = ENV(uint64_t, U_ENV_XREGS);
    uc_reg_write((uc_engine *)c->uc, UC_ARM64_REG_X0, &zero);
    return found == probe && ENV(uint64_t, U_ENV_XREGS) == 0 && CS(uint64_t, U_CPU_MIDR) == 0x411fd070;
}

/* A Cortex-A15 has nothing of version 8: its instructions are undefined. */
static void become_a15(struct cpu *c)
{
    enum { MVFR1_A15 = 0x11111111, FPSID_A15 = 0x410430f0 };
    ENV(uint64_t, U_ENV_FEATURES) &= ~(UINT64_C(1) << U_FEATURE_V8);
    CS(uint32_t, U_CPU_ISAR5) = CS(uint32_t, U_CPU_ISAR6) = CS(uint32_t, U_CPU_MVFR2) = 0;
    ENV(uint32_t, U_ENV_VFP_XREGS + 4 * U_VFP_MVFR1) = MVFR1_A15;
    ENV(uint32_t, U_ENV_VFP_XREGS + 4 * U_VFP_MVFR2) = 0;
    ENV(uint32_t, U_ENV_VFP_XREGS + 4 * U_VFP_FPSID) = FPSID_A15;
}

int arm_create(struct machine *m, enum cpu_model model, struct cpu **out)
{
    struct arm_cpu *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    struct cpu *c = &a->c;
    a->narrow = model == CPU_ARM32;
    c->kind = &arm_kind;
    c->m = m;
    c->ops = &m->ops;
    int error = cpu_open(c, UC_ARCH_ARM64, UC_MODE_ARM, UC_CPU_ARM64_A57);
    if (!error)
        error = cpu_map_device_window(c);
    if (!error && !cpu_enter(m, c))
        error = -EINVAL;
    if (error) {
        arm_destroy(c);
        return error;
    }
    FIELD(unaligned_fn *, CS(char *, U_CS_CC), U_CC_UNALIGNED) = arm_unaligned;
    ENV(uint64_t, U_ENV_SCR) = SCR_NS | SCR_RES1 | SCR_HCE | SCR_RW;
    ENV(uint64_t, U_ENV_HCR) = a->narrow ? 0 : HCR_RW;
    if (a->narrow)
        become_a15(c);
    struct arm_state state;
    arm_get_state(c, &state);
    state.pstate = a->narrow ? START32 : START64;
    state.exclusive_addr = UINT64_MAX;
    arm_set_state(c, &state);
    *out = c;
    return 0;
}

void arm_destroy(struct cpu *c)
{
    cpu_close(c);
    free(c);
}

int arm_set_ops(struct cpu *c)
{
    (void)c;
    return 0;
}

unsigned arm_level(const struct cpu *c)
{
    if (arm_is_narrow(c))
        return (FIELD(const uint32_t, c->env, U_ENV_UNCACHED_CPSR) & CPSR_MODE) == MODE_USR ? 0 : 1;
    return (FIELD(const uint32_t, c->env, U_ENV_PSTATE) & PSTATE_EL) >> 2;
}

uint64_t target_linear_pc(const struct cpu *c)
{
    return arm_is_narrow(c) ? FIELD(const uint32_t, c->env, U_ENV_REGS + 4 * 15) : FIELD(const uint64_t, c->env, U_ENV_PC);
}

uint64_t arm_pc(struct cpu *c) { return target_linear_pc(c); }

void arm_set_pc(struct cpu *c, uint64_t pc)
{
    if (arm_is_narrow(c))
        ENV(uint32_t, U_ENV_REGS + 4 * 15) = (uint32_t)pc & (ENV(uint32_t, U_ENV_THUMB) ? ~1u : ~3u);
    else
        ENV(uint64_t, U_ENV_PC) = pc;
}

void target_at_block(struct cpu *c, const char *tb)
{
    const uint64_t pc = FIELD(const uint64_t, tb, U_TB_PC);
    if (arm_is_narrow(c))
        ENV(uint32_t, U_ENV_REGS + 4 * 15) = (uint32_t)pc;
    else
        ENV(uint64_t, U_ENV_PC) = pc;
}

uintptr_t target_helper_ra(struct cpu *c, uintptr_t ra)
{
    (void)c;
    return ra;
}

void target_restored(struct cpu *c) { (void)c; }

/* The monitors of the machine's other cpus: what this one stores could be what they watch. libunicorn's store exclusive compares
 * values, which cannot tell; so theirs are opened before this one runs, which is the same in every run. */
static void open_other_monitors(struct cpu *c)
{
    for (int i = 0; i < c->m->cpu_count; i++) {
        struct cpu *other = c->m->cpus[i];
        if (other && other != c && other->kind == &arm_kind)
            FIELD(uint64_t, other->env, U_ENV_EXCLUSIVE_ADDR) = UINT64_MAX;
    }
}

void T(target_enter)(struct cpu *c)
{
    ARM(c)->refusing = false;
    open_other_monitors(c);
}

void T(target_back)(struct cpu *c) { (void)c; }

/* ---- a guest's own data breakpoints: Xen gives its guests none ---- */

uint32_t target_watched(struct cpu *c, uint64_t va, uint64_t size)
{
    (void)c;
    (void)va;
    (void)size;
    return 0;
}

uint32_t target_waiting(struct cpu *c, uint32_t found, bool write)
{
    (void)c;
    (void)write;
    return found;
}

void target_debug_exception(struct cpu *c, uint32_t found)
{
    (void)found;
    cpu_leave_helper(c);
}
