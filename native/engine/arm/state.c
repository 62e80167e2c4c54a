/* state.c - registers of an ARM cpu: single ones for the layer above, and all of them in canonical form.
 *
 * libunicorn keeps the flags apart, the registers of the present mode in one place and those of the others in banks, and derives
 * from all that what its blocks are translated by (hflags). That is dealt with here and nowhere else.
 */
#include "cpu.h"

enum { CPSR_RAW = 2 };                                    /* libunicorn: no bank is switched */
#define FPCR_BITS 0x07ff9f00u
#define FPSR_BITS 0xf800009fu

static uint64_t *sp_of(struct cpu *c)
{
    (void)c;
    return &ENV(uint64_t, U_ENV_XREGS + 8 * 31);
}

uint64_t arm_reg(struct cpu *c, int n)
{
    const bool narrow = arm_is_narrow(c);
    if (n < 0 || n > (narrow ? 14 : 31))
        return 0;
    return narrow ? ENV(uint32_t, U_ENV_REGS + 4 * n) : ENV(uint64_t, U_ENV_XREGS + 8 * n);
}

void arm_set_reg(struct cpu *c, int n, uint64_t value)
{
    const bool narrow = arm_is_narrow(c);
    if (n < 0 || n > (narrow ? 14 : 31))
        return;
    if (narrow)
        ENV(uint32_t, U_ENV_REGS + 4 * n) = (uint32_t)value;
    else
        ENV(uint64_t, U_ENV_XREGS + 8 * n) = value;
}

uint64_t arm_pstate(struct cpu *c)
{
    if (arm_is_narrow(c))
        return cpsr_read_aarch64(c->env);
    return (ENV(uint32_t, U_ENV_NF) & PSTATE_N) | (ENV(uint32_t, U_ENV_ZF) ? 0u : PSTATE_Z) | (ENV(uint32_t, U_ENV_CF) ? PSTATE_C : 0u) |
           (ENV(uint32_t, U_ENV_VF) & PSTATE_N) >> 3 | ENV(uint32_t, U_ENV_PSTATE) | (uint32_t)ENV(uint64_t, U_ENV_DAIF);
}

void arm_unmask_irq(struct cpu *c) { ENV(uint64_t, U_ENV_DAIF) &= ~(uint64_t)PSTATE_I; }

static void set_pstate64(struct cpu *c, uint32_t value)
{
    ENV(uint32_t, U_ENV_AARCH64) = 1;
    ENV(uint32_t, U_ENV_ZF) = ~value & PSTATE_Z;
    ENV(uint32_t, U_ENV_NF) = value;
    ENV(uint32_t, U_ENV_CF) = value & PSTATE_C ? 1 : 0;
    ENV(uint32_t, U_ENV_VF) = value << 3;
    ENV(uint64_t, U_ENV_DAIF) = value & PSTATE_DAIF;
    ENV(uint32_t, U_ENV_PSTATE) = value & ~(PSTATE_N | PSTATE_Z | PSTATE_C | PSTATE_V | PSTATE_DAIF | PSTATE_BTYPE);
}

/* ---- AArch32's banks ---- */

static enum arm_bank bank_of(uint32_t cpsr)
{
    switch (cpsr & CPSR_MODE) {
    case MODE_SVC:
        return ARM_BANK_SVC;
    case MODE_ABT:
        return ARM_BANK_ABT;
    case MODE_UND:
        return ARM_BANK_UND;
    case MODE_IRQ:
        return ARM_BANK_IRQ;
    case MODE_FIQ:
        return ARM_BANK_FIQ;
    default:
        return ARM_BANK_USR;
    }
}

/* Where the present mode's registers are, if they are in no bank. */
static void get_banks(struct cpu *c, struct arm_state *out)
{
    const bool narrow = arm_is_narrow(c);
    const enum arm_bank present = bank_of((uint32_t)out->pstate);
    for (int i = 0; i < ARM_BANKS; i++) {
        bool live = narrow && i == (int)present;
        out->banked_spsr[i] = live && i != ARM_BANK_USR ? ENV(uint32_t, U_ENV_SPSR) : ENV(uint64_t, U_ENV_BANKED_SPSR + 8 * i);
        out->banked_r13[i] = live ? ENV(uint32_t, U_ENV_REGS + 4 * 13) : ENV(uint32_t, U_ENV_BANKED_R13 + 4 * i);
        out->banked_r14[i] = live ? ENV(uint32_t, U_ENV_REGS + 4 * 14) : ENV(uint32_t, U_ENV_BANKED_R14 + 4 * i);
    }
    const int live = U_ENV_REGS + 4 * 8;
    memcpy(out->usr_r8_r12, c->env + (narrow && present != ARM_BANK_FIQ ? live : U_ENV_USR_REGS), sizeof out->usr_r8_r12);
    memcpy(out->fiq_r8_r12, c->env + (narrow && present == ARM_BANK_FIQ ? live : U_ENV_FIQ_REGS), sizeof out->fiq_r8_r12);
}

static void set_banks(struct cpu *c, const struct arm_state *in)
{
    for (int i = 0; i < ARM_BANKS; i++) {
        ENV(uint64_t, U_ENV_BANKED_SPSR + 8 * i) = in->banked_spsr[i];
        ENV(uint32_t, U_ENV_BANKED_R13 + 4 * i) = in->banked_r13[i];
        ENV(uint32_t, U_ENV_BANKED_R14 + 4 * i) = in->banked_r14[i];
    }
    ENV(uint32_t, U_ENV_SPSR) = (uint32_t)in->banked_spsr[bank_of((uint32_t)in->pstate)];
    memcpy(c->env + U_ENV_USR_REGS, in->usr_r8_r12, sizeof in->usr_r8_r12);
    memcpy(c->env + U_ENV_FIQ_REGS, in->fiq_r8_r12, sizeof in->fiq_r8_r12);
}

/* ---- everything ---- */

/* Registers that are one 64-bit field on both sides. */
static const struct { size_t canonical; int offset; } PLAIN[] = {
    {offsetof(struct arm_state, elr_el1), U_ENV_ELR + 8},
    {offsetof(struct arm_state, sctlr), U_ENV_SCTLR + 8},
    {offsetof(struct arm_state, cpacr), U_ENV_CPACR},
    {offsetof(struct arm_state, ttbr0), U_ENV_TTBR0 + 8},
    {offsetof(struct arm_state, ttbr1), U_ENV_TTBR1 + 8},
    {offsetof(struct arm_state, tcr), U_ENV_TCR + U_TCR_SIZE + U_TCR_RAW},
    {offsetof(struct arm_state, mair), U_ENV_MAIR + 8},
    {offsetof(struct arm_state, vbar), U_ENV_VBAR + 8},
    {offsetof(struct arm_state, esr), U_ENV_ESR + 8},
    {offsetof(struct arm_state, far), U_ENV_FAR + 8},
    {offsetof(struct arm_state, par), U_ENV_PAR + 8},
    {offsetof(struct arm_state, contextidr), U_ENV_CONTEXTIDR + 8},
    {offsetof(struct arm_state, tpidr_el0), U_ENV_TPIDR},
    {offsetof(struct arm_state, tpidr_el1), U_ENV_TPIDR + 8},
    {offsetof(struct arm_state, tpidrro_el0), U_ENV_TPIDRRO},
    {offsetof(struct arm_state, csselr), U_ENV_CSSELR + 8},
    {offsetof(struct arm_state, cntkctl), U_ENV_CNTKCTL},
    {offsetof(struct arm_state, exclusive_addr), U_ENV_EXCLUSIVE_ADDR},
    {offsetof(struct arm_state, exclusive_val), U_ENV_EXCLUSIVE_VAL},
    {offsetof(struct arm_state, exclusive_high), U_ENV_EXCLUSIVE_HIGH},
};

void arm_get_state(struct cpu *c, struct arm_state *out)
{
    memset(out, 0, sizeof *out);
    const bool narrow = arm_is_narrow(c), own_sp = ENV(uint32_t, U_ENV_PSTATE) & PSTATE_SP;
    out->pstate = arm_pstate(c);
    out->pc = arm_pc(c);
    for (int i = 0; i < (narrow ? 15 : 31); i++)
        out->x[i] = arm_reg(c, i);
    out->sp_el0 = narrow || own_sp ? ENV(uint64_t, U_ENV_SP) : *sp_of(c);
    out->sp_el1 = narrow || !own_sp ? ENV(uint64_t, U_ENV_SP + 8) : *sp_of(c);
    for (unsigned i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++)
        memcpy((char *)out + PLAIN[i].canonical, c->env + PLAIN[i].offset, 8);
    get_banks(c, out);
    out->spsr_el1 = out->banked_spsr[ARM_BANK_SVC];
    for (int i = 0; i < 32; i++)
        memcpy(out->v + 2 * i, c->env + U_ENV_VFP + i * U_VFP_SIZE, 16);
    const uint32_t fpscr = vfp_get_fpscr_aarch64(c->env);
    out->fpcr = fpscr & FPCR_BITS;
    out->fpsr = fpscr & FPSR_BITS;
    out->dacr = (uint32_t)ENV(uint64_t, U_ENV_DACR);
    out->ifsr = (uint32_t)ENV(uint64_t, U_ENV_IFSR);
    out->fcseidr = ENV(uint32_t, U_ENV_FCSEIDR);
    out->fpexc = ENV(uint32_t, U_ENV_VFP_XREGS + 4 * U_VFP_FPEXC);
    out->lines = ARM(c)->lines;
}

/* What short descriptors' tables are found by follows from TTBCR. */
static void set_tcr_masks(struct cpu *c, uint64_t tcr)
{
    const unsigned n = tcr & 7;
    char *own = c->env + U_ENV_TCR + U_TCR_SIZE;
    FIELD(uint32_t, own, U_TCR_MASK) = n ? ~(UINT32_MAX >> n) : 0;
    FIELD(uint32_t, own, U_TCR_BASE_MASK) = ~(0x3fffu >> n);
}

void arm_set_state(struct cpu *c, const struct arm_state *in)
{
    enum { EXIT_TB = 4 };
    cpu_watch_forget(c);
    const uint32_t pstate = (uint32_t)in->pstate;
    const bool narrow = pstate & PSTATE_NRW;
    set_banks(c, in);
    if (narrow) {
        ENV(uint32_t, U_ENV_AARCH64) = 0;
        ENV(uint32_t, U_ENV_PSTATE) = 0;
        cpsr_write_aarch64(c->env, pstate, UINT32_MAX, CPSR_RAW);
    } else {
        set_pstate64(c, pstate);
        ENV(uint32_t, U_ENV_THUMB) = 0;
        ENV(uint64_t, U_ENV_BANKED_SPSR + 8 * ARM_BANK_SVC) = in->spsr_el1;
    }
    ENV(uint64_t, U_ENV_SP) = in->sp_el0;
    ENV(uint64_t, U_ENV_SP + 8) = in->sp_el1;
    for (int i = 0; i < (narrow ? 15 : 31); i++)
        arm_set_reg(c, i, in->x[i]);
    *sp_of(c) = pstate & PSTATE_SP ? in->sp_el1 : in->sp_el0;
    arm_set_pc(c, in->pc);
    for (unsigned i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++)
        memcpy(c->env + PLAIN[i].offset, (const char *)in + PLAIN[i].canonical, 8);
    set_tcr_masks(c, in->tcr);
    for (int i = 0; i < 32; i++)
        memcpy(c->env + U_ENV_VFP + i * U_VFP_SIZE, in->v + 2 * i, 16);
    vfp_set_fpscr_aarch64(c->env, in->fpcr | in->fpsr);
    ENV(uint64_t, U_ENV_DACR) = in->dacr;
    ENV(uint64_t, U_ENV_IFSR) = in->ifsr;
    ENV(uint32_t, U_ENV_FCSEIDR) = in->fcseidr;
    ENV(uint32_t, U_ENV_VFP_XREGS + 4 * U_VFP_FPEXC) = in->fpexc;
    CS(uint32_t, U_CS_INTERRUPT_REQUEST) &= ~(uint32_t)EXIT_TB;
    cpu_set_lines(c, in->lines & LINE_IRQ, in->lines & LINE_FIQ);
    arm_rebuild_hflags_aarch64(c->env);
    arm_settle_checks(c);
    c->kind->flush(c);
}

uint64_t arm_cntkctl(struct cpu *c) { return ENV(uint64_t, U_ENV_CNTKCTL); }

void arm_save(struct cpu *c, void *out) { arm_get_state(c, out); }

void arm_load(struct cpu *c, const void *in) { arm_set_state(c, in); }
