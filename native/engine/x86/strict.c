/* strict.c - checks of the architecture that libunicorn leaves out, as far as they cost running guests nothing.
 *
 * It executes VEX forms of SSE instructions although its AVX is off, and CPUID says so: they are refused while translating,
 * all but the general-purpose ones of BMI1 and BMI2. LOCK in front of what cannot be locked is undefined too: libunicorn
 * ignores it, and for the bit operations on registers its translator aborts. Reserved bits of MXCSR are refused where it
 * is loaded.
 * Not checked: alignment of SSE operands.
 * Facts: AMD64 APM volume 3, 1.2.5 (LOCK), 1.2.7 (VEX prefix) and appendix A; volume 1, 4.2.2 (MXCSR).
 */
#include "cpu.h"

enum { SYSEXIT = 0x35, FXSAVE_MXCSR = 24 };
#define MXCSR_RESERVED 0xffff0000u

extern uint32_t cpu_ldl_data_ra_x86_64(void *env, uint64_t va, uintptr_t ra);
extern uint64_t __wrap_helper_rdrand_x86_64(char *env);
extern void helper_reset_rf_x86_64(char *env);
extern void __real_helper_ldmxcsr_x86_64(char *env, uint32_t value);
extern void __real_helper_fxrstor_x86_64(char *env, uint64_t va);
void __wrap_helper_ldmxcsr_x86_64(char *env, uint32_t value);
void __wrap_helper_fxrstor_x86_64(char *env, uint64_t va);

/* ---- hidden instructions ---- */

enum { VEX2 = 0xc5, VEX3 = 0xc4, VEX_L = 4, MAP_0F38 = 2, MAP_0F3A = 3, RORX = 0xf0 };
enum { PREFIXES_MAX = 14 };

/* Prefixes that may stand before a VEX prefix, or that libunicorn refuses there itself. */
bool cpu_is_prefix(uint8_t byte, bool long_mode)
{
    static const uint8_t LEGACY[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    for (unsigned i = 0; i < sizeof LEGACY; i++)
        if (byte == LEGACY[i])
            return true;
    return long_mode && (byte & 0xf0) == 0x40;
}

/* ANDN; BLSR, BLSMSK, BLSI; BZHI, PEXT, PDEP; MULX; BEXTR and the shifts; RORX: general-purpose, with L = 0 */
static bool is_bmi(unsigned map, uint8_t payload, uint8_t opcode)
{
    if (payload & VEX_L)
        return false;
    return map == MAP_0F3A ? opcode == RORX
                           : map == MAP_0F38 && opcode >= 0xf2 && opcode <= 0xf7 && opcode != 0xf4;
}

/* ---- LOCK: only the read-modify-write instructions take it, and only with a destination in memory ---- */

enum { LOCK = 0xf0, ESCAPE = 0x0f, ANY = 0xff, INSN_BYTES_MAX = 15 };

/* Which values of ModRM.reg make an opcode one that can be locked: bit r for r. */
static const struct { uint8_t first, last, regs; } LOCKABLE[] = {
    {0x80, 0x83, 0x7f}, {0x86, 0x87, ANY}, {0xf6, 0xf7, 1 << 2 | 1 << 3}, {0xfe, 0xff, 1 << 0 | 1 << 1},
}, LOCKABLE_0F[] = {
    {0xab, 0xab, ANY}, {0xb0, 0xb1, ANY}, {0xb3, 0xb3, ANY}, {0xba, 0xba, 0xe0}, {0xbb, 0xbb, ANY}, {0xc0, 0xc1, ANY},
    {0xc7, 0xc7, 1 << 1},
};

static unsigned lockable_regs(bool escaped, uint8_t opcode)
{
    if (!escaped && opcode < 0x38)          /* ADD OR ADC SBB AND SUB XOR, with the destination first */
        return (opcode & 7) < 2 ? ANY : 0;
    for (unsigned i = 0; escaped && i < sizeof LOCKABLE_0F / sizeof *LOCKABLE_0F; i++)
        if (opcode >= LOCKABLE_0F[i].first && opcode <= LOCKABLE_0F[i].last)
            return LOCKABLE_0F[i].regs;
    for (unsigned i = 0; !escaped && i < sizeof LOCKABLE / sizeof *LOCKABLE; i++)
        if (opcode >= LOCKABLE[i].first && opcode <= LOCKABLE[i].last)
            return LOCKABLE[i].regs;
    return 0;
}

/* Bytes of the instruction at `pc`, whose opcode stands behind `n` prefixes, that show that LOCK is undefined here; 0: it
 * is not, or the instruction is too long, which is refused elsewhere. */
static unsigned bad_lock(struct cpu *c, uint64_t pc, unsigned n, uint8_t opcode)
{
    bool escaped = opcode == ESCAPE;
    n++;
    if (escaped && n < INSN_BYTES_MAX)
        opcode = cpu_ldub_code_x86_64(c->env, pc + n++);
    unsigned regs = lockable_regs(escaped, opcode);
    if (!regs || n >= INSN_BYTES_MAX)
        return regs ? 0 : n;
    uint8_t modrm = cpu_ldub_code_x86_64(c->env, pc + n++);
    return modrm < 0xc0 && regs >> (modrm >> 3 & 7) & 1 ? 0 : n;
}

/* Bytes of the hidden instruction at `pc` as far as it takes to know; 0: it is none. Reading them may raise the same #PF
 * that translating it would. */
static unsigned hidden(struct cpu *c, uint64_t pc)
{
    bool long_mode = ENV(uint32_t, U_ENV_HFLAGS) & HF_CS64;
    unsigned n = 0;
    bool locked = false;
    uint8_t byte = cpu_ldub_code_x86_64(c->env, pc);
    while (n < PREFIXES_MAX && cpu_is_prefix(byte, long_mode)) {
        locked |= byte == LOCK;
        byte = cpu_ldub_code_x86_64(c->env, pc + ++n);
    }
    unsigned bytes = locked ? bad_lock(c, pc, n, byte) : 0;
    if (bytes)
        return bytes;
    if (byte == ESCAPE && c->ops->native && ENV(uint32_t, U_ENV_HFLAGS) & HF_LMA && cpu_ldub_code_x86_64(c->env, pc + n + 1) == SYSEXIT)
        return n + 2;             /* the processor is one of AMD's */
    if (byte != VEX2 && byte != VEX3)
        return 0;
    uint8_t second = cpu_ldub_code_x86_64(c->env, pc + n + 1);
    if (!long_mode && (second & 0xc0) != 0xc0)
        return 0;                 /* LES, LDS */
    if (byte == VEX2)
        return n + 2;
    uint8_t payload = cpu_ldub_code_x86_64(c->env, pc + n + 2), opcode = cpu_ldub_code_x86_64(c->env, pc + n + 3);
    return is_bmi(second & 0x1f, payload, opcode) ? 0 : n + 4;
}

bool cpu_refuse_hidden(struct cpu *c, void *ctx, char *db)
{
    unsigned bytes = hidden(c, FIELD(uint64_t, db, U_DCB_PC_NEXT));
    if (!bytes)
        return false;
    /* RDRAND is hidden too, and our stand-in for it raises #UD: a call of it does so at this instruction. */
    TCGTemp *env = cpu_env_temp(ctx), *result = tcg_temp_new_internal_x86_64(ctx, U_TCG_T_I64, false);
    __real_tcg_gen_callN_x86_64(ctx, (void *)__wrap_helper_rdrand_x86_64, result, 1, &env);
    tcg_temp_free_internal_x86_64(ctx, result);
    FIELD(uint64_t, db, U_DCB_PC_NEXT) += bytes;
    FIELD(uint32_t, db, U_DCB_IS_JMP) = U_DCB_NORETURN;
    return true;
}

/* ---- RF: suppresses instruction breakpoints for one instruction, which libunicorn extends to a block ---- */

enum { REPNE = 0xf2, REP = 0xf3 };

static bool resumes(const struct cpu *c) { return FIELD(const uint32_t, c->translating, U_TB_FLAGS) & RFLAGS_RF; }


/* It goes before the instruction, which can clear it only when it does not fault, and a fault sets it anyway. A repeated string
 * instruction keeps it until its end, which is a jump. */
void cpu_resume_once(struct cpu *c, void *ctx, char *db)
{
    if (!resumes(c))
        return;
    uint8_t byte = cpu_ldub_code_x86_64(c->env, FIELD(uint64_t, db, U_DCB_PC_NEXT));
    if (byte == REP || byte == REPNE)
        return;
    TCGTemp *env = cpu_env_temp(ctx);
    __real_tcg_gen_callN_x86_64(ctx, (void *)helper_reset_rf_x86_64, NULL, 1, &env);
}

/* ---- instructions with something to be checked in front of them, or behind ---- */

enum { INSB = 0x6c, OUTSW = 0x6f, OPERAND_16 = 0x66, GROUP6 = 0x00, GROUP7 = 0x01, X87_FIRST = 0xd8, X87_LAST = 0xdf, WAIT = 0x9b, GROUP15 = 0xae, TABLE_3A = 0x3a, TB_IOPL_SHIFT = 12 };

/* INS, OUTS: memory is touched only when the port may be used. */
static void port_first(void *ctx, uint32_t flags, uint8_t opcode, bool other_size)
{
    if (!(flags & HF_PE) || ((flags & 3) <= (flags >> TB_IOPL_SHIFT & 3) && !(flags & RFLAGS_VM)))
        return;
    bool is32 = (bool)(flags & HF_CS32) != other_size;
    cpu_emit_hook(ctx, HOOK_PORT, !(opcode & 1) ? 1 : is32 ? 4 : 2);
}

/* CR4.UMIP: SLDT, STR, SGDT, SIDT and SMSW are #GP(0) in ring 3. */
static bool told_by_umip(uint32_t flags, const uint8_t bytes[3])
{
    unsigned reg = bytes[2] >> 3 & 7;
    bool memory = bytes[2] < 0xc0;
    if (!(flags & HF_UMIP) || (flags & 3) != 3)
        return false;
    return bytes[1] == GROUP6 ? reg < 2 && !(flags & RFLAGS_VM) : bytes[1] == GROUP7 && ((reg < 2 && memory) || reg == 4);
}

enum hook cpu_before(struct cpu *c, void *ctx, char *db)
{
    uint32_t flags = FIELD(const uint32_t, c->translating, U_TB_FLAGS);
    uint64_t pc = FIELD(uint64_t, db, U_DCB_PC_NEXT);
    bool other_size = false, prefixed = false;
    uint8_t bytes[3] = {cpu_ldub_code_x86_64(c->env, pc)};
    X86(c)->segment = UINT32_MAX;
    cpu_string_before(c, ctx, pc);
    if (flags & HF_CHECK_SEGMENTS)
        cpu_emit_hook(ctx, HOOK_FETCH, pc - FIELD(const uint64_t, c->translating, U_TB_CS_BASE));
    for (unsigned n = 0; n < PREFIXES_MAX && cpu_is_prefix(bytes[0], flags & HF_CS64); n++) {
        other_size |= bytes[0] == OPERAND_16;
        prefixed |= bytes[0] == OPERAND_16 || bytes[0] == REP || bytes[0] == REPNE;
        bytes[0] = cpu_ldub_code_x86_64(c->env, ++pc);
    }
    if (bytes[0] >= INSB && bytes[0] <= OUTSW && c->ops->native)
        port_first(ctx, flags, bytes[0], other_size);
    /* No byte behind the instruction is read: it may be on a page that is not there. */
    bool x87 = bytes[0] >= X87_FIRST && bytes[0] <= X87_LAST;
    if (bytes[0] == ESCAPE || x87)
        bytes[1] = cpu_ldub_code_x86_64(c->env, pc + 1);
    if (bytes[0] == ESCAPE && (bytes[1] == GROUP6 || bytes[1] == GROUP7 || bytes[1] == GROUP15 || bytes[1] == TABLE_3A))
        bytes[2] = cpu_ldub_code_x86_64(c->env, pc + 2);
    c->end_block = flags & HF_PE && !(flags & (HF_CS64 | RFLAGS_VM)) && cpu_loads_segment(bytes);
    if (bytes[0] != ESCAPE && bytes[0] != WAIT && !x87)
        return HOOK_NONE;
    if (bytes[0] == ESCAPE && told_by_umip(flags, bytes))
        cpu_emit_hook(ctx, HOOK_REFUSE, 0);
    if (bytes[0] == ESCAPE && bytes[1] == GROUP7 && bytes[2] < 0xc0 && flags & HF_CS64 && c->ops->native &&
        ((bytes[2] >> 3 & 7) == 2 || (bytes[2] >> 3 & 7) == 3)) {
        cpu_emit_hook(ctx, HOOK_TABLES_BEFORE, 0);
        return HOOK_TABLES_AFTER;
    }
    return cpu_float_before(ctx, flags & HF_CHECK_FLOAT, bytes, prefixed);
}

void cpu_after(struct cpu *c, void *ctx, enum hook before)
{
    if (before != HOOK_NONE)
        cpu_emit_hook(ctx, before, 0);
    c->end_block |= before == HOOK_X87_LOADED || before == HOOK_MXCSR_LOADED;
}

/* ---- MXCSR ---- */

void __wrap_helper_ldmxcsr_x86_64(char *env, uint32_t value)
{
    if (value & MXCSR_RESERVED)
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, RETURN_ADDRESS);
    __real_helper_ldmxcsr_x86_64(env, value);
}

void __wrap_helper_fxrstor_x86_64(char *env, uint64_t va)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    if (ENV(uint64_t, U_ENV_CR + 32) & CR4_OSFXSR && !(va & 15) &&
        cpu_ldl_data_ra_x86_64(env, va + FXSAVE_MXCSR, ra) & MXCSR_RESERVED)
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, ra);
    __real_helper_fxrstor_x86_64(env, va);
}

void target_begin_block(struct cpu *c) { cpu_memory_begins(c); }

void target_translate_insn(struct cpu *c, void *ctx, char *db, void *cs)
{
    cpu_resume_once(c, ctx, db);
    enum hook before = cpu_before(c, ctx, db);
    if (!cpu_refuse_hidden(c, ctx, db)) {
        c->translate_insn(db, cs);
        cpu_after(c, ctx, before);
    }
    c->end_block |= resumes(c);
}
