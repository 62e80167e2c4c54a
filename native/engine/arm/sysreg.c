/* sysreg.c - system registers: which of libunicorn's a guest sees, which are ours, and which the layer above answers.
 *
 * libunicorn's translator asks for a description of the register by its number; get_arm_cp_reginfo() is wrapped, and knows three
 * kinds. KEPT: libunicorn's own, which hold state of EL1 (state.c saves it) or are barriers and cache maintenance without effect.
 * OURS: answered here. All others: asked of the layer above when they are executed, undefined if it does not know them
 * either. Nothing that libunicorn would take from the host's clock, or that its other processors have, is left.
 * Translations cached depend on SCTLR, TCR, TTBR0/1, DACR and CONTEXTIDR: a write that changes one of them drops them.
 */
#include <stdlib.h>
#include "cpu.h"

typedef struct GHashTable GHashTable;
extern void *g_hash_table_lookup(GHashTable *table, const void *key);
extern void g_hash_table_insert(GHashTable *table, void *key, void *value);
extern const char *__real_get_arm_cp_reginfo_aarch64(GHashTable *table, uint32_t key);
extern uint64_t __real_helper_get_cp_reg64_aarch64(char *env, const char *reg);
extern void __real_helper_set_cp_reg64_aarch64(char *env, const char *reg, uint64_t value);
extern uint32_t __real_helper_get_cp_reg_aarch64(char *env, const char *reg);
extern void __real_helper_set_cp_reg_aarch64(char *env, const char *reg, uint32_t value);
const char *__wrap_get_arm_cp_reginfo_aarch64(GHashTable *table, uint32_t key);
uint64_t __wrap_helper_get_cp_reg64_aarch64(char *env, const char *reg);
void __wrap_helper_set_cp_reg64_aarch64(char *env, const char *reg, uint64_t value);
uint32_t __wrap_helper_get_cp_reg_aarch64(char *env, const char *reg);
void __wrap_helper_set_cp_reg_aarch64(char *env, const char *reg, uint32_t value);

/* How libunicorn numbers registers; a bit that it does not use marks our entries of its table. */
enum { KEY_AA64 = 1 << 28, KEY_NS = 1 << 29, KEY_OURS = 1 << 30, KEY_COPROCESSOR = 16, KEY_WIDE = 1 << 15 };
#define AA64(op0, op1, crn, crm, op2) ((uint32_t)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))
#define AA32(crn, opc1, crm, opc2) ((uint32_t)((crn) << 11 | (crm) << 7 | (opc1) << 3 | (opc2)))
#define AA32_WIDE(opc1, crm) ((uint32_t)(KEY_WIDE | (crm) << 7 | (opc1) << 3))

static const uint32_t KEPT64[] = {
    /* SCTLR ACTLR CPACR, TTBR0 TTBR1 TCR, SPSR ELR SP_EL0 SPSel CurrentEL, AFSR0 AFSR1 ESR FAR PAR, MAIR AMAIR VBAR CONTEXTIDR TPIDR */
    AA64(3, 0, 1, 0, 0), AA64(3, 0, 1, 0, 1), AA64(3, 0, 1, 0, 2), AA64(3, 0, 2, 0, 0), AA64(3, 0, 2, 0, 1), AA64(3, 0, 2, 0, 2),
    AA64(3, 0, 4, 0, 0), AA64(3, 0, 4, 0, 1), AA64(3, 0, 4, 1, 0), AA64(3, 0, 4, 2, 0), AA64(3, 0, 4, 2, 2), AA64(3, 0, 5, 1, 0),
    AA64(3, 0, 5, 1, 1), AA64(3, 0, 5, 2, 0), AA64(3, 0, 6, 0, 0), AA64(3, 0, 7, 4, 0), AA64(3, 0, 10, 2, 0), AA64(3, 0, 10, 3, 0),
    AA64(3, 0, 12, 0, 0), AA64(3, 0, 13, 0, 1), AA64(3, 0, 13, 0, 4), AA64(3, 0, 14, 1, 0),
    /* TPIDR_EL0 TPIDRRO_EL0, NZCV DAIF FPCR FPSR, DCZID CTR, CCSIDR CLIDR AIDR CSSELR */
    AA64(3, 3, 13, 0, 2), AA64(3, 3, 13, 0, 3), AA64(3, 3, 4, 2, 0), AA64(3, 3, 4, 2, 1), AA64(3, 3, 4, 4, 0), AA64(3, 3, 4, 4, 1),
    AA64(3, 3, 0, 0, 7), AA64(3, 3, 0, 0, 1), AA64(3, 1, 0, 0, 0), AA64(3, 1, 0, 0, 1), AA64(3, 1, 0, 0, 7), AA64(3, 2, 0, 0, 0),
    /* IC IALLUIS IALLU IVAU, DC IVAC ISW CSW CISW ZVA CVAC CVAU CIVAC */
    AA64(1, 0, 7, 1, 0), AA64(1, 0, 7, 5, 0), AA64(1, 3, 7, 5, 1), AA64(1, 0, 7, 6, 1), AA64(1, 0, 7, 6, 2), AA64(1, 0, 7, 10, 2),
    AA64(1, 0, 7, 14, 2), AA64(1, 3, 7, 4, 1), AA64(1, 3, 7, 10, 1), AA64(1, 3, 7, 11, 1), AA64(1, 3, 7, 14, 1),
};
static const uint32_t KEPT32[] = {
    /* CTR TCMTR TLBTR, CCSIDR CLIDR CSSELR, SCTLR ACTLR CPACR, TTBR0 TTBR1 TTBCR DACR */
    AA32(0, 0, 0, 1), AA32(0, 0, 0, 2), AA32(0, 0, 0, 3), AA32(0, 1, 0, 0), AA32(0, 1, 0, 1), AA32(0, 2, 0, 0), AA32(1, 0, 0, 0),
    AA32(1, 0, 0, 1), AA32(1, 0, 0, 2), AA32(2, 0, 0, 0), AA32(2, 0, 0, 1), AA32(2, 0, 0, 2), AA32(3, 0, 0, 0),
    /* DFSR IFSR ADFSR AIFSR DFAR IFAR PAR, MAIR0 MAIR1 AMAIR0 AMAIR1, VBAR, FCSEIDR CONTEXTIDR TPIDRURW TPIDRURO TPIDRPRW */
    AA32(5, 0, 0, 0), AA32(5, 0, 0, 1), AA32(5, 0, 1, 0), AA32(5, 0, 1, 1), AA32(6, 0, 0, 0), AA32(6, 0, 0, 2), AA32(7, 0, 4, 0),
    AA32(10, 0, 2, 0), AA32(10, 0, 2, 1), AA32(10, 0, 3, 0), AA32(10, 0, 3, 1), AA32(12, 0, 0, 0), AA32(13, 0, 0, 0), AA32(13, 0, 0, 1),
    AA32(13, 0, 0, 2), AA32(13, 0, 0, 3), AA32(13, 0, 0, 4), AA32(14, 0, 1, 0), AA32_WIDE(0, 2), AA32_WIDE(1, 2), AA32_WIDE(0, 7),
    /* caches, branch predictors, barriers */
    AA32(7, 0, 1, 0), AA32(7, 0, 1, 6), AA32(7, 0, 5, 0), AA32(7, 0, 5, 1), AA32(7, 0, 5, 4), AA32(7, 0, 5, 6), AA32(7, 0, 5, 7),
    AA32(7, 0, 6, 1), AA32(7, 0, 6, 2), AA32(7, 0, 10, 1), AA32(7, 0, 10, 2), AA32(7, 0, 10, 4), AA32(7, 0, 10, 5), AA32(7, 0, 11, 1),
    AA32(7, 0, 14, 1), AA32(7, 0, 14, 2),
};

/* ---- ours ---- */

typedef uint64_t read_fn(char *env, const char *reg);
typedef void write_fn(char *env, const char *reg, uint64_t value);

/* Never called: the wrapped helpers know our entries by this. */
static uint64_t ours_read(char *env, const char *reg)
{
    (void)env;
    (void)reg;
    return 0;
}

static void ours_write(char *env, const char *reg, uint64_t value)
{
    (void)env;
    (void)reg;
    (void)value;
}

static bool is_ours(const char *reg) { return FIELD(read_fn *const, reg, U_RI_READFN) == ours_read; }

/* The AT instructions and their AArch32 kin: PAR holds what a walk makes of an address. */
static void address_translate(struct cpu *c, uint64_t va, bool user, bool write)
{
    enum { PAR_FAILED = 1, PAR_RES1 = 1 << 11, PAR_LPAE = 1 << 11 };
    struct arm_fault fault;
    struct arm_walk walk;
    uint64_t ipa;
    uint32_t prot;
    uint64_t par;
    if (arm_stage1(c, va, write ? ACCESS_WRITE : ACCESS_READ, user, true, &ipa, &prot, &fault, &walk))
        par = (ipa & UINT64_C(0x0000fffffffff000)) | (arm_short_tables(c) ? 0 : PAR_RES1) | (ARM(c)->narrow ? 0 : UINT64_C(0xff) << 56);
    else if (arm_short_tables(c))
        par = PAR_FAILED | (fault.status & 0x3f) << 1;
    else
        par = PAR_FAILED | (uint64_t)fault.status << 1 | PAR_RES1;
    ID(U_ENV_PAR) = par;
}

/* TLBI and its AArch32 kin: nothing that is cached is stale (fill.c). true: the register is one of these, and done. */
static bool maintain(struct cpu *c, uint32_t key, bool write, uint64_t value)
{
    const bool wide = key & KEY_AA64;
    const unsigned crn = key >> (wide ? 7 : 11) & 15, crm = key >> (wide ? 3 : 7) & 15, op1 = key >> (wide ? 11 : 3) & 7, op2 = key & 7;
    if (!write || op1 || (wide && (key >> 14 & 3) != 1))
        return false;
    if (crn == 8)
        return crm == 3 || crm == 7 || (!wide && (crm == 5 || crm == 6));
    if (crn != 7 || crm != 8 || op2 > 3)
        return false;
    address_translate(c, value, op2 & 2, op2 & 1);
    return true;
}

/* ---- the layer above ---- */

/* The register of `key` in terms of struct arm_sysreg. AArch32's that AArch64 has too are named as there (G1.17.1 and tables of
 * chapter G8): CP15 with opc1 0, but for the timer's, which EL0 may have, and the wide ones. */
static struct arm_sysreg name_of(const struct cpu *c, uint32_t key)
{
    static const struct { uint8_t opc1, crm; struct arm_sysreg reg; } WIDE[] = {
        {0, 14, {3, 3, 14, 0, 1, 0, false, 0}}, {1, 14, {3, 3, 14, 0, 2, 0, false, 0}}, {2, 14, {3, 3, 14, 2, 2, 0, false, 0}},
        {3, 14, {3, 3, 14, 3, 2, 0, false, 0}}, {0, 12, {3, 0, 12, 11, 5, 0, false, 0}}, {1, 12, {3, 0, 12, 11, 6, 0, false, 0}},
        {2, 12, {3, 0, 12, 11, 7, 0, false, 0}},
    };
    struct arm_sysreg reg = {0};
    if (key & KEY_AA64) {
        reg = (struct arm_sysreg){.op0 = key >> 14 & 3, .op1 = key >> 11 & 7, .crn = key >> 7 & 15, .crm = key >> 3 & 15, .op2 = key & 7};
    } else {
        reg = (struct arm_sysreg){.coproc = key >> KEY_COPROCESSOR & 15, .crn = key >> 11 & 15, .crm = key >> 7 & 15, .op1 = key >> 3 & 15 & 7,
                                  .op2 = key & 7, .wide = key & KEY_WIDE};
        for (unsigned i = 0; reg.wide && i < sizeof WIDE / sizeof *WIDE; i++)
            if (reg.coproc == 15 && WIDE[i].opc1 == reg.op1 && WIDE[i].crm == reg.crm) {
                reg = WIDE[i].reg;
                break;
            }
        if (reg.coproc == 15 && !reg.wide && reg.op1 == 0) {
            reg.op0 = 3;
            reg.op1 = reg.crn == 14 && reg.crm != 1 ? 3 : 0;
            reg.coproc = 0;
        }
    }
    reg.el = (uint8_t)arm_level(c);
    return reg;
}

static void undefined(struct cpu *c, uintptr_t ra) __attribute__((noreturn));
static void undefined(struct cpu *c, uintptr_t ra) { __wrap_raise_exception_ra_aarch64(c->env, U_EXCP_UDEF, ESR_IL, 1, ra); }

/* The syndrome of an AArch32 access to a coprocessor's register, from its instruction, which T32 writes in the same fields. */
static uint32_t coprocessor_syndrome(struct cpu *c)
{
    enum { CV = 1 << 24, ALWAYS = 0xe };
    const bool thumb = ENV(uint32_t, U_ENV_THUMB);
    uint32_t insn = cpu_ldl_code_aarch64(c->env, arm_pc(c));
    insn = thumb ? insn << 16 | insn >> 16 : insn;
    const uint32_t common = CV | (thumb ? ALWAYS : insn >> 28) << 20 | (insn >> 12 & 15) << 5 | (insn & 15) << 1 | (insn >> 20 & 1) | ESR_IL;
    if ((insn >> 24 & 15) == 0xe)
        return (uint32_t)EC_CP15_32 << EC_SHIFT | common | (insn >> 5 & 7) << 17 | (insn >> 21 & 7) << 14 | (insn >> 16 & 15) << 10;
    return (uint32_t)EC_CP15_64 << EC_SHIFT | common | (insn >> 4 & 15) << 16 | (insn >> 16 & 15) << 10;
}

/* A system register trap to EL1: the syndrome is the instruction's own fields (D13.2.37, "ISS encoding for ... MSR, MRS"). */
static void trapped(struct cpu *c, const struct arm_sysreg *reg, bool write, uintptr_t ra) __attribute__((noreturn));
static void trapped(struct cpu *c, const struct arm_sysreg *reg, bool write, uintptr_t ra)
{
    if (arm_is_narrow(c) && ARM(c)->narrow)
        undefined(c, ra);
    if (arm_is_narrow(c))
        __wrap_raise_exception_ra_aarch64(c->env, U_EXCP_UDEF, coprocessor_syndrome(c), 1, ra);
    const uint32_t insn = cpu_ldl_code_aarch64(c->env, arm_pc(c)), rt = insn & 31;
    __wrap_raise_exception_ra_aarch64(c->env, U_EXCP_UDEF,
                               (uint32_t)EC_SYSREG << EC_SHIFT | ESR_IL | (uint32_t)reg->op0 << 20 | (uint32_t)reg->op2 << 17 |
                                   (uint32_t)reg->op1 << 14 | (uint32_t)reg->crn << 10 | rt << 5 | (uint32_t)reg->crm << 1 | !write,
                               1, ra);
}

static bool interrupt_status(struct cpu *c, const struct arm_sysreg *reg, bool write, uint64_t *value)
{
    enum { ISR_F = 1 << 6, ISR_I = 1 << 7 };
    if (reg->op0 != 3 || reg->op1 || reg->crn != 12 || reg->crm != 1 || reg->op2 || write)
        return false;
    *value = (ARM(c)->lines & LINE_IRQ ? ISR_I : 0u) | (ARM(c)->lines & LINE_FIQ ? ISR_F : 0u);
    return true;
}

static void ask(struct cpu *c, const char *entry, bool write, uint64_t *value, uintptr_t ra)
{
    const uint32_t key = (uint32_t)FIELD(const uintptr_t, entry, U_RI_OPAQUE);
    const struct arm_sysreg reg = name_of(c, key);
    WRAP(cpu_restore_state)(c->cs, ra, false);
    if (maintain(c, key, write, *value) || interrupt_status(c, &reg, write, value))
        return;
    c->block = cpu_block_at(c, ra);
    enum io_answer answer = c->ops->sysreg(c->ops->ctx, c, &reg, write, value, cpu_is_alone(c, ra));
    c->block = NULL;
    switch (answer) {
    case IO_DONE:
        return;
    case IO_LEAVE:
        cpu_leave_before(c, ra);
    case IO_ALONE:
        cpu_again_alone(c, ra);
    case IO_TRAP:
        trapped(c, &reg, write, ra);
    case IO_ENGINE:
        if (!write && reg.op0 == 3 && arm_identification(c, ARM_ID(reg.op1, reg.crn, reg.crm, reg.op2), value))
            return;
        undefined(c, ra);
    default:
        undefined(c, ra);
    }
}

uint64_t __wrap_helper_get_cp_reg64_aarch64(char *env, const char *reg)
{
    uint64_t value = 0;
    if (!is_ours(reg))
        return __real_helper_get_cp_reg64_aarch64(env, reg);
    ask(cpu_of_env(env), reg, false, &value, RETURN_ADDRESS);
    return value;
}

uint32_t __wrap_helper_get_cp_reg_aarch64(char *env, const char *reg)
{
    uint64_t value = 0;
    if (!is_ours(reg))
        return __real_helper_get_cp_reg_aarch64(env, reg);
    ask(cpu_of_env(env), reg, false, &value, RETURN_ADDRESS);
    return (uint32_t)value;
}

/* ---- writes that cached translations depend on ---- */

struct regime { uint64_t sctlr, ttbr0, ttbr1, tcr, dacr, contextidr; };

static struct regime regime_of(struct cpu *c)
{
    return (struct regime){ID(U_ENV_SCTLR), ID(U_ENV_TTBR0), ID(U_ENV_TTBR1), FIELD(uint64_t, c->env, U_ENV_TCR + U_TCR_SIZE + U_TCR_RAW),
                           ENV(uint64_t, U_ENV_DACR), ID(U_ENV_CONTEXTIDR)};
}

static void settle_regime(struct cpu *c, const struct regime *before)
{
    const struct regime now = regime_of(c);
    if (memcmp(before, &now, sizeof now) != 0)
        c->kind->flush(c);
    arm_settle_checks(c);
}

void __wrap_helper_set_cp_reg64_aarch64(char *env, const char *reg, uint64_t value)
{
    struct cpu *c = cpu_of_env(env);
    if (is_ours(reg)) {
        ask(c, reg, true, &value, RETURN_ADDRESS);
        return;
    }
    const struct regime before = regime_of(c);
    __real_helper_set_cp_reg64_aarch64(env, reg, value);
    settle_regime(c, &before);
}

void __wrap_helper_set_cp_reg_aarch64(char *env, const char *reg, uint32_t value)
{
    struct cpu *c = cpu_of_env(env);
    uint64_t wide = value;
    if (is_ours(reg)) {
        ask(c, reg, true, &wide, RETURN_ADDRESS);
        return;
    }
    const struct regime before = regime_of(c);
    __real_helper_set_cp_reg_aarch64(env, reg, value);
    settle_regime(c, &before);
}

/* ---- the translator's question ---- */

static bool contains(const uint32_t *list, size_t count, uint32_t key)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == key)
            return true;
    return false;
}

static bool kept(uint32_t key)
{
    const uint32_t low = key & 0xffff;
    if (key & KEY_AA64)
        return contains(KEPT64, sizeof KEPT64 / sizeof *KEPT64, low);
    return (key >> KEY_COPROCESSOR & 15) == 15 && contains(KEPT32, sizeof KEPT32 / sizeof *KEPT32, low);
}

/* Registers of EL2 and EL3, which there are not; instructions that are none. */
static bool unallocated(uint32_t key)
{
    if (!(key & KEY_AA64))
        return false;
    const unsigned op0 = key >> 14 & 3, op1 = key >> 11 & 7, crn = key >> 7 & 15;
    return op1 > 3 || (op0 == 1 && (op1 || (crn != 7 && crn != 8)));
}

/* A new entry of libunicorn's table, which owns it from then on. NULL: no memory. */
static char *enter(GHashTable *table, uint32_t key)
{
    uint32_t *name = malloc(sizeof *name);
    char *entry = calloc(1, U_RI_SIZE);
    if (!name || !entry) {
        free(name);
        free(entry);
        return NULL;
    }
    *name = key;
    g_hash_table_insert(table, name, entry);
    return entry;
}

const char *__wrap_get_arm_cp_reginfo_aarch64(GHashTable *table, uint32_t key)
{
    if (kept(key))
        return __real_get_arm_cp_reginfo_aarch64(table, key);
    if (unallocated(key))
        return NULL;
    const uint32_t mark = key | KEY_OURS;
    char *entry = g_hash_table_lookup(table, &mark);
    if (entry || !(entry = enter(table, mark)))
        return entry;
    const unsigned op1 = key >> 11 & 7;
    FIELD(int, entry, U_RI_STATE) = key & KEY_AA64 ? U_RI_STATE_AA64 : U_RI_STATE_AA32;
    FIELD(int, entry, U_RI_TYPE) = !(key & KEY_AA64) && key & KEY_WIDE ? U_RI_64BIT : 0;
    FIELD(int, entry, U_RI_ACCESS) = !(key & KEY_AA64) || op1 == 3 ? U_RI_PL0_RW : U_RI_PL1_RW;
    FIELD(uintptr_t, entry, U_RI_OPAQUE) = key;
    FIELD(read_fn *, entry, U_RI_READFN) = ours_read;
    FIELD(write_fn *, entry, U_RI_WRITEFN) = ours_write;
    return entry;
}
