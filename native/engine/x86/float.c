/* float.c - exceptions of x87 and SSE: their flags, #MF and #XM.
 *
 * libunicorn computes in software, which notes what went wrong, and leaves it there: MXCSR never has a flag, the status word
 * few, and nothing is raised but by WAIT. Here the notes are added where a guest can read them. While an exception is
 * unmasked, which is rare, HF_CHECK_FLOAT has blocks translated with checks: in front of what waits for x87, and around
 * each SSE instruction that computes, which is undone when it raises #XM.
 * Not known to the software, and so never raised: denormal operands, and faults of the x87 stack.
 * Facts: Intel SDM volume 1, 8.1.3, 8.5, 8.7, 10.2.3, 11.5; volume 2, 2.4 (#UD or #XM); AMD64 APM volume 1, 4.10, 6.8.
 */
#include <string.h>
#include "cpu.h"

enum { IE = 1, DE = 2, ZE = 4, ALL = 0x3f, MXCSR_MASK_SHIFT = 7, MXCSR_FLUSH = 1 << 15, X87_PENDING = 0x8080 };

static uint32_t mxcsr_masks(struct cpu *c) { return ENV(uint32_t, U_ENV_MXCSR) >> MXCSR_MASK_SHIFT & ALL; }

/* ---- flags ---- */

void cpu_merge_mxcsr(struct cpu *c)
{
    ENV(uint32_t, U_ENV_MXCSR) |= ENV(uint8_t, U_ENV_SSE_FLAGS) & (ALL & ~DE);
    ENV(uint8_t, U_ENV_SSE_FLAGS) = 0;
}

void cpu_merge_x87(struct cpu *c)
{
    uint16_t *status = &ENV(uint16_t, U_ENV_FPUS);
    *status = (uint16_t)(*status | (ENV(uint8_t, U_ENV_X87_FLAGS) & (ALL & ~DE)));
    ENV(uint8_t, U_ENV_X87_FLAGS) = 0;
    *status = (uint16_t)((*status & ~X87_PENDING) | (*status & ~ENV(uint16_t, U_ENV_FPUC) & ALL ? X87_PENDING : 0));
}

void cpu_float_changed(struct cpu *c)
{
    bool masked = mxcsr_masks(c) == ALL && (ENV(uint16_t, U_ENV_FPUC) & ALL) == ALL;
    uint32_t *hflags = &ENV(uint32_t, U_ENV_HFLAGS);
    *hflags = (*hflags & ~(uint32_t)HF_CHECK_FLOAT) | (masked ? 0u : (uint32_t)HF_CHECK_FLOAT);
}

/* MXCSR has a new value. libunicorn has its flush-to-zero bit take effect on x87. */
void cpu_mxcsr_loaded(struct cpu *c)
{
    ENV(uint8_t, U_ENV_SSE_FLAGS) = 0;
    ENV(uint8_t, U_ENV_X87_FLUSH) = 0;
    ENV(uint8_t, U_ENV_SSE_FLUSH) = ENV(uint32_t, U_ENV_MXCSR) & MXCSR_FLUSH ? 1 : 0;
    cpu_float_changed(c);
}

/* ---- x87 ---- */

static void x87_waits(struct cpu *c, uintptr_t ra)
{
    cpu_merge_x87(c);
    if (ENV(uint16_t, U_ENV_FPUS) & X87_PENDING && !(ENV(uint32_t, U_ENV_HFLAGS) & (HF_EM | HF_TS)) && ENV(uint64_t, U_ENV_CR) & CR0_NE)
        raise_exception_err_ra_x86_64(c->env, VECTOR_MF, 0, ra);
}

/* ---- SSE ---- */

static void sse_begins(struct cpu *c)
{
    struct float_undo *u = &X86(c)->float_undo;
    cpu_merge_mxcsr(c);
    u->gprs = *cpu_gprs(c);
    memcpy(u->flags, c->env + U_ENV_CC_DST, sizeof u->flags);
    for (unsigned i = 0; i < 16; i++)
        memcpy(u->xmm[i], c->env + U_ENV_XMM + i * U_XMM_SIZE, sizeof u->xmm[i]);
}

/* What it computed stays unless one of its exceptions is unmasked. Invalid operands and division by zero come before the
 * others. */
static void sse_ends(struct cpu *c, uintptr_t ra)
{
    const struct float_undo *u = &X86(c)->float_undo;
    uint32_t found = ENV(uint8_t, U_ENV_SSE_FLAGS) & (ALL & ~DE), raised = found & ~mxcsr_masks(c);
    if (!raised) {
        cpu_merge_mxcsr(c);
        return;
    }
    ENV(uint32_t, U_ENV_MXCSR) |= raised & (IE | ZE) ? found & (IE | ZE) : found;
    ENV(uint8_t, U_ENV_SSE_FLAGS) = 0;
    *cpu_gprs(c) = u->gprs;
    memcpy(c->env + U_ENV_CC_DST, u->flags, sizeof u->flags);
    for (unsigned i = 0; i < 16; i++)
        memcpy(c->env + U_ENV_XMM + i * U_XMM_SIZE, u->xmm[i], sizeof u->xmm[i]);
    raise_exception_err_ra_x86_64(c->env, ENV(uint64_t, U_ENV_CR + 32) & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD, 0, ra);
}

void cpu_float_hook(struct cpu *c, enum hook hook, uintptr_t ra)
{
    switch (hook) {
    case HOOK_X87_WAITS:
        x87_waits(c, ra);
        break;
    case HOOK_SSE_BEFORE:
        sse_begins(c);
        break;
    case HOOK_SSE_AFTER:
        sse_ends(c, ra);
        break;
    case HOOK_STATUS_READ:
        cpu_merge_x87(c);
        cpu_merge_mxcsr(c);
        break;
    case HOOK_X87_LOADED:
        ENV(uint8_t, U_ENV_X87_FLAGS) = 0;
        cpu_merge_x87(c);
        cpu_float_changed(c);
        break;
    case HOOK_MXCSR_LOADED:       /* LDMXCSR, or FXRSTOR */
        cpu_mxcsr_loaded(c);
        break;
    default:
        break;
    }
}

/* ---- which instructions ---- */

struct opcode { uint8_t first, second, modrm; bool escaped, prefixed; };
static unsigned reg_of(struct opcode op) { return op.modrm >> 3 & 7; }
static bool in_memory(uint8_t modrm) { return modrm < 0xc0; }

/* The status word, the control word or the whole environment is loaded, or set. */
static bool loads_x87(struct opcode op)
{
    bool memory = in_memory(op.modrm);
    switch (op.first) {
    case 0xd9:
        return memory && (reg_of(op) == 4 || reg_of(op) == 5 || reg_of(op) == 6);      /* FLDENV, FLDCW, FNSTENV */
    case 0xdb:
        return op.modrm == 0xe2 || op.modrm == 0xe3;                                    /* FNCLEX, FNINIT */
    case 0xdd:
        return memory && (reg_of(op) == 4 || reg_of(op) == 6);                          /* FRSTOR, FNSAVE */
    default:
        return false;
    }
}

/* FNSTCW, FNSTENV; FNENI .. FNSETPM; FNSAVE, FNSTSW; FNSTSW to AX. */
static bool does_not_wait(struct opcode op)
{
    bool memory = in_memory(op.modrm);
    return (op.first == 0xd9 && memory && reg_of(op) >= 6) || (op.first == 0xdb && !memory && op.modrm >= 0xe0 && op.modrm <= 0xe4) ||
           (op.first == 0xdd && memory && reg_of(op) >= 6) || (op.first == 0xdf && op.modrm == 0xe0);
}

/* Or is about to change what follows from it (FLDCW). */
static bool reads_status(struct opcode op)
{
    bool memory = in_memory(op.modrm);
    if (op.escaped)               /* FXSAVE, STMXCSR */
        return op.second == 0xae && memory && (reg_of(op) == 0 || reg_of(op) == 3);
    return (op.first == 0xd9 && memory && (reg_of(op) == 5 || reg_of(op) == 6)) || (op.first == 0xdd && memory && reg_of(op) >= 6) || (op.first == 0xdf && op.modrm == 0xe0);
}

static bool of_mmx(struct opcode op)
{
    return op.escaped && !op.prefixed && ((op.second >= 0x60 && op.second <= 0x7f) || op.second == 0xc4 || op.second == 0xc5 || op.second >= 0xd1);
}

/* CVT*, COMIS*, SQRT; ADD .. MAX; CMP; ADDSUB, HADD; ROUND, DP of the second table. */
static bool of_sse(struct opcode op)
{
    uint8_t b = op.second;
    if (!op.escaped)
        return false;
    if (b == 0x3a)                /* `modrm` is the third byte of the opcode */
        return (op.modrm >= 0x08 && op.modrm <= 0x0b) || op.modrm == 0x40 || op.modrm == 0x41;
    return b == 0x2a || (b >= 0x2c && b <= 0x2f) || b == 0x51 || (b >= 0x58 && b <= 0x5f) || b == 0xc2 || b == 0xe6 || b == 0x7c || b == 0x7d ||
           b == 0xd0;
}

enum hook cpu_float_before(void *ctx, bool check, const uint8_t bytes[3], bool prefixed)
{
    enum { ESCAPE = 0x0f, X87_FIRST = 0xd8, X87_LAST = 0xdf, GROUP15 = 0xae, WAIT = 0x9b };
    struct opcode op = {.first = bytes[0], .escaped = bytes[0] == ESCAPE, .prefixed = prefixed};
    op.second = op.escaped ? bytes[1] : 0;
    op.modrm = op.escaped ? bytes[2] : bytes[1];
    bool x87 = !op.escaped && op.first >= X87_FIRST && op.first <= X87_LAST;
    if (check && op.first == WAIT)
        cpu_emit_hook(ctx, HOOK_X87_WAITS, 0);
    if ((x87 || op.escaped) && reads_status(op))
        cpu_emit_hook(ctx, HOOK_STATUS_READ, 0);
    if (check && ((x87 && !does_not_wait(op)) || of_mmx(op)))
        cpu_emit_hook(ctx, HOOK_X87_WAITS, 0);
    if (x87)
        return loads_x87(op) ? HOOK_X87_LOADED : HOOK_NONE;
    if (op.escaped && op.second == GROUP15 && in_memory(op.modrm) && (reg_of(op) == 1 || reg_of(op) == 2))
        return HOOK_MXCSR_LOADED;
    if (!check || !of_sse(op))
        return HOOK_NONE;
    cpu_emit_hook(ctx, HOOK_SSE_BEFORE, 0);
    return HOOK_SSE_AFTER;
}
