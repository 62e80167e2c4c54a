/* checks.c - what libunicorn does not check, or not when it should: alignment, the use of floating point, illegal state.
 *
 * Which checks there are depends on SCTLR, CPACR and PSTATE.IL. They are part of what a translated block is found by (libunicorn's
 * number of a cluster of processors, of which there is none here), so code without a check costs nothing for it, and a change
 * of these registers throws nothing away.
 *
 * Facts: Arm DDI 0487, "Alignment support", "SP alignment checking", CPACR_EL1.FPEN, "Illegal exception returns"; DDI 0406C, A3.2.1,
 * A3.2.2.
 */
#include "cpu.h"

enum { ALIGNED = 1, STACK_EL0 = 2, STACK_EL1 = 4, FLOAT_EL0 = 8, FLOAT_EL1 = 16, ILLEGAL = 32 };
enum { CPACR_SHIFT = 20, SP_BYTES = 16, SP = 31 };

#define STACK_SYNDROME ((uint32_t)EC_SP_ALIGNMENT << EC_SHIFT | ESR_IL)

extern void arm_cpu_do_unaligned_access_aarch64(void *cs, uint64_t va, int access, int mmu, uintptr_t ra) __attribute__((noreturn));
extern void tcg_gen_andi_i64_aarch64(void *ctx, uintptr_t to, uintptr_t from, int64_t value);
extern void tcg_gen_brcondi_i64_aarch64(void *ctx, int cond, uintptr_t value, int64_t imm, void *label);
extern void *gen_new_label_aarch64(void *ctx);
extern uint16_t cpu_lduw_code_aarch64(void *env, uint64_t va);

static unsigned checks_of(struct cpu *c)
{
    /* CPACR.FPEN: whom it lets through, of EL0 (1) and EL1 (2) */
    static const uint8_t TRAPPED[4] = {FLOAT_EL0 | FLOAT_EL1, FLOAT_EL0, FLOAT_EL0 | FLOAT_EL1, 0};
    const uint64_t sctlr = ID(U_ENV_SCTLR);
    const bool narrow = ARM(c)->narrow;
    unsigned checks = TRAPPED[ENV(uint64_t, U_ENV_CPACR) >> CPACR_SHIFT & 3];
    if (sctlr & SCTLR_A || !(sctlr & SCTLR_M))         /* without an MMU, all data is in Device memory */
        checks |= ALIGNED;
    if (!narrow)
        checks |= (sctlr & SCTLR_SA ? STACK_EL1 : 0u) | (sctlr & SCTLR_SA0 ? STACK_EL0 : 0u);
    const uint32_t state = arm_is_narrow(c) ? ENV(uint32_t, U_ENV_UNCACHED_CPSR) : ENV(uint32_t, U_ENV_PSTATE);
    return checks | (state & PSTATE_IL && !narrow ? ILLEGAL : 0u);
}

void arm_settle_checks(struct cpu *c) { CS(int32_t, U_CS_CLUSTER) = (int32_t)checks_of(c); }

void arm_exception_taken(struct cpu *c)
{
    if (CS(uint32_t, U_CS_CLUSTER) & ILLEGAL)
        arm_settle_checks(c);
}

/* ---- which alignment an instruction asks for, as MemOps, 0: none ---- */

struct alignment { unsigned each, first; };     /* of its accesses; of the first alone, where that is more */

/* Of 2^`log` bytes. */
static unsigned bytes_aligned(unsigned log) { return log << U_MO_ASHIFT; }

/* A register of 16 bytes, which libunicorn loads and stores as two of 8. */
static bool is_quad(uint32_t insn)
{
    return (insn & 0xfe800000) == 0x3c800000 || (insn & 0xfe000000) == 0xac000000 || (insn & 0xff000000) == 0x9c000000;
}

/* `checked`: SCTLR.A; `big`: the upper half of 16 bytes comes first, and they are checked as two of 8. */
static struct alignment alignment64(uint32_t insn, bool checked, bool big)
{
    if ((insn & 0x3f000000) == 0x08000000)                              /* exclusive, acquire, release */
        return (struct alignment){.each = U_MO_ALIGN};
    if (!checked)
        return (struct alignment){0};
    if ((insn & 0xbf000000) == 0x0c000000)                              /* structures: elements, several of them in an access */
        return (struct alignment){.each = bytes_aligned(insn >> 10 & 3)};
    return (struct alignment){.each = U_MO_ALIGN, .first = is_quad(insn) && !big ? U_MO_ALIGN_16 : 0};
}

/* VLDn, VSTn of whole registers: elements, as in AArch64, and what the instruction says of the address (4 << align bytes). */
static bool is_structures32(uint32_t insn, bool thumb) { return (insn & 0xff900000) == (thumb ? 0xf9000000 : 0xf4000000); }

static struct alignment alignment_structures32(uint32_t insn, bool checked)
{
    const unsigned align = insn >> 4 & 3;
    return (struct alignment){.each = checked ? bytes_aligned(insn >> 6 & 3) : 0, .first = align ? bytes_aligned(align + 2) : 0};
}

static unsigned alignment_a32(uint32_t insn)
{
    const unsigned class = insn >> 25 & 7;
    if (class == 4)                                                     /* LDM, STM, RFE, SRS */
        return U_MO_ALIGN;
    if (class == 6)                                                     /* VLDR, VSTR, VLDM, VSTM: words */
        return (insn >> 9 & 7) == 5 ? U_MO_ALIGN_4 : 0;
    return class == 0 && (insn & 0x1000d0) == 0xd0 ? U_MO_ALIGN : 0;    /* LDRD, STRD */
}

static unsigned alignment_t32(uint32_t first, uint32_t second)
{
    if (first >> 12 == 0xc || (first & 0xf600) == 0xb400)               /* STM, LDM; PUSH, POP */
        return U_MO_ALIGN;
    if (first >> 9 == 0x74)                                             /* LDM, STM, RFE, SRS, LDRD, STRD; but not TBB, TBH */
        return (first & 0xfff0) == 0xe8d0 && (second & 0xe0) == 0 ? 0 : U_MO_ALIGN;
    return first >> 9 == 0x76 && (second >> 9 & 7) == 5 ? U_MO_ALIGN_4 : 0;
}

static struct alignment alignment32(struct cpu *c, uint64_t pc, bool checked)
{
    const bool thumb = ENV(uint32_t, U_ENV_THUMB);
    uint32_t insn;
    if (thumb) {
        const uint32_t first = cpu_lduw_code_aarch64(c->env, pc);
        const bool wide = first >> 11 >= 0x1d;
        insn = first << 16 | (wide ? cpu_lduw_code_aarch64(c->env, pc + 2) : 0);
    } else
        insn = cpu_ldl_code_aarch64(c->env, pc);
    if (is_structures32(insn, thumb))
        return alignment_structures32(insn, checked);
    const unsigned own = thumb ? alignment_t32(insn >> 16, insn & 0xffff) : alignment_a32(insn);
    return (struct alignment){.each = own ? own : checked ? U_MO_ALIGN : 0};
}

/* ---- the stack pointer of AArch64 ---- */

/* Is it a load or store whose base is SP? Prefetches and literals are none. */
static bool is_stack_access(uint32_t insn)
{
    const bool memory = (insn & 0x0a000000) == 0x08000000, literal = (insn & 0x3b000000) == 0x18000000;
    return memory && !literal && (insn >> 5 & 31) == SP && (insn & 0xfcc00000) != 0xf8800000;
}

static bool multiple_of_16(int64_t n) { return n % SP_BYTES == 0; }

/* The bits of `insn` from `low` on, a signed number. */
static int64_t signed_field(uint32_t insn, unsigned low, unsigned bits) { return (int32_t)(insn << (32 - low - bits)) >> (32 - bits); }

/* Bytes of one register of a pair. */
static int pair_unit(uint32_t insn) { return insn & 1 << 26 ? 4 << (insn >> 30) : insn >> 31 ? 8 : 4; }

/* Is SP, which was a multiple of 16, one behind this instruction too? false: it may not be. */
static bool keeps_stack_aligned(uint32_t insn)
{
    const bool to_sp = (insn & 31) == SP, from_sp = (insn >> 5 & 31) == SP;
    const unsigned mode = insn >> 10 & 3, pair_mode = insn >> 23 & 3;
    if ((insn & 0x3f000000) == 0x11000000)                             /* ADD, SUB of an immediate */
        return !to_sp || (from_sp && (insn >> 22 & 1 || multiple_of_16(insn >> 10 & 0xfff)));
    if ((insn & 0x3fe00000) == 0x0b200000)                             /* of a register, extended */
        return !to_sp;
    if ((insn & 0x1f800000) == 0x12000000)                             /* logical, of an immediate; ANDS has no SP */
        return !to_sp || insn >> 29 == 3 || insn >> 29 == 7;
    if ((insn & 0x3b200000) == 0x38000000)                             /* one register, at a place of 9 bits; modes 1, 3 write back */
        return !from_sp || !(mode & 1) || multiple_of_16(signed_field(insn, 12, 9));
    if ((insn & 0x3a000000) == 0x28000000)                             /* a pair; modes 1, 3 write back */
        return !from_sp || !(pair_mode & 1) || multiple_of_16(signed_field(insn, 15, 7) * pair_unit(insn));
    if ((insn & 0xbe000000) == 0x0c000000)                             /* structures of vectors */
        return !from_sp || !(insn & 1 << 23);
    return insn >> 24 != 0xd5;                                          /* system instructions: SPSel */
}

/* Is the lowest address of this access by SP a multiple of 16 if and only if SP is? Then checking the access checks SP, which costs
 * nothing. Of what has an immediate, and of the form that writes back behind the access. */
static bool tells_of_stack(uint32_t insn)
{
    const unsigned mode = insn >> 10 & 3, pair_mode = insn >> 23 & 3, scale = (insn & 0x04800000) == 0x04800000 ? 4 : insn >> 30;
    if ((insn & 0x3b000000) == 0x39000000)                             /* one register, scaled */
        return multiple_of_16((int64_t)(insn >> 10 & 0xfff) << scale);
    if ((insn & 0x3b200000) == 0x38000000)
        return mode == 1 || multiple_of_16(signed_field(insn, 12, 9));
    if ((insn & 0x3a000000) == 0x28000000)
        return pair_mode == 1 || multiple_of_16(signed_field(insn, 15, 7) * pair_unit(insn));
    return false;
}

static void emit_stack_check(void *ctx)
{
    const uintptr_t sp = FIELD(const uintptr_t, (char *)ctx, U_TCG_XREGS + SP * sizeof(uintptr_t));
    void *aligned = gen_new_label_aarch64(ctx);
    TCGTemp *low = tcg_temp_new_internal_aarch64(ctx, U_TCG_T_I64, false);
    tcg_gen_andi_i64_aarch64(ctx, (uintptr_t)((char *)low - (char *)ctx), sp, SP_BYTES - 1);
    tcg_gen_brcondi_i64_aarch64(ctx, U_TCG_C_EQ, (uintptr_t)((char *)low - (char *)ctx), 0, aligned);
    tcg_temp_free_internal_aarch64(ctx, low);
    TCGTemp *args[4] = {cpu_env_temp(ctx), cpu_constant(ctx, U_TCG_T_I32, U_EXCP_UDEF),
                        cpu_constant(ctx, U_TCG_T_I32, STACK_SYNDROME), cpu_constant(ctx, U_TCG_T_I32, 1)};
    __real_tcg_gen_callN_aarch64(ctx, (void *)__wrap_helper_exception_with_syndrome_aarch64, NULL, 4, args);
    for (unsigned i = 1; i < 4; i++)
        tcg_temp_free_internal_aarch64(ctx, args[i]);
    cpu_set_label(ctx, aligned);
}

/* ---- translating ---- */

void target_translate_insn(struct cpu *c, void *ctx, char *db, void *cs)
{
    const unsigned checks = FIELD(const unsigned, c->cs, U_CS_CLUSTER), level = arm_level(c);
    const uint64_t pc = FIELD(uint64_t, db, U_DCB_PC_NEXT);
    struct alignment wanted;
    FIELD(int, db, U_DC_FP_TRAP) = checks & (level ? FLOAT_EL1 : FLOAT_EL0) ? 1 : 0;
    if (arm_is_narrow(c)) {
        wanted = alignment32(c, pc, checks & ALIGNED);
    } else {
        const uint32_t insn = cpu_ldl_code_aarch64(c->env, pc);         /* a fetch that faults does so first */
        const bool big = ID(U_ENV_SCTLR) & (level ? SCTLR_EE : SCTLR_E0E);
        wanted = alignment64(insn, checks & ALIGNED, big);
        if (checks & (level ? STACK_EL1 : STACK_EL0)) {
            if (is_stack_access(insn) && !ARM(c)->stack_aligned) {
                if (tells_of_stack(insn) && !big)        /* else the second comes first */
                    wanted.first = U_MO_ALIGN_16;
                else
                    emit_stack_check(ctx);
                ARM(c)->stack_aligned = true;
            }
            ARM(c)->stack_aligned &= keeps_stack_aligned(insn);
        }
    }
    ARM(c)->alignment = wanted.each;
    ARM(c)->first_access = wanted.first;
    if (checks & ILLEGAL) {
        arm_between_blocks(c);
        raise_exception_aarch64(c->env, U_EXCP_UDEF, (uint32_t)EC_ILLEGAL << EC_SHIFT | ESR_IL, 1);
    }
    c->translate_insn(db, cs);
}

/* What an access of `op` is to be checked for beside. */
static int also(void *ctx, int op)
{
    struct arm_cpu *a = ARM(cpu_of_context(ctx));
    unsigned wanted = op & U_MO_SIZE ? a->alignment : 0;
    if (a->first_access) {
        wanted = a->first_access;
        a->first_access = 0;
    }
    return op & U_MO_AMASK ? 0 : (int)wanted;
}

#define ACCESS(name) \
    extern void __real_tcg_gen_qemu_##name##_aarch64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op); \
    void __wrap_tcg_gen_qemu_##name##_aarch64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op); \
    void __wrap_tcg_gen_qemu_##name##_aarch64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op) \
    { \
        __real_tcg_gen_qemu_##name##_aarch64(ctx, value, address, index, op | also(ctx, op)); \
    }
ACCESS(ld_i32)
ACCESS(ld_i64)
ACCESS(st_i32)
ACCESS(st_i64)

/* An access was found unaligned: by a stack pointer that is, or else for itself. */
void arm_unaligned(void *cs, uint64_t va, int access, int mmu, uintptr_t ra)
{
    struct cpu *c = cpu_of_cs(cs);
    WRAP(cpu_restore_state)(cs, ra, true);
    if (CS(unsigned, U_CS_CLUSTER) & (arm_level(c) ? STACK_EL1 : STACK_EL0) && !arm_is_narrow(c) &&
        !multiple_of_16((int64_t)ENV(uint64_t, U_ENV_XREGS + 8 * SP)) && is_stack_access(cpu_ldl_code_aarch64(c->env, arm_pc(c))))
        raise_exception_aarch64(c->env, U_EXCP_UDEF, STACK_SYNDROME, 1);
    arm_cpu_do_unaligned_access_aarch64(cs, va, access, mmu, 0);
}

/* ---- PSTATE.IL ---- */

extern void __real_helper_exception_return_aarch64(char *env, uint64_t pc);
void __wrap_helper_exception_return_aarch64(char *env, uint64_t pc);
void __wrap_helper_exception_return_aarch64(char *env, uint64_t pc)
{
    __real_helper_exception_return_aarch64(env, pc);
    arm_settle_checks(cpu_of_env(env));
}
