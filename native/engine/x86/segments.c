/* segments.c - limits and types of segments, and alignment: checked where memory is accessed.
 *
 * libunicorn adds a segment's base to an address and checks nothing. Nearly all segments are flat, and need no check. While one
 * that is not flat is loaded, outside of 64-bit code, or EFLAGS.AC is set in ring 3, blocks are translated with a call in
 * front of each access. Which segment an access goes through is seen as the translator adds its base; FS and GS, which
 * 32-bit systems leave null, have bits of their own, so that only what goes through them is called for.
 * Not checked: real and virtual-8086 mode, and what libunicorn's helpers access: descriptors, the stacks of events, x87
 * operands of 80 bits, FXSAVE, CMPXCHG8B.
 * Facts: Intel SDM volume 3, 5.3, 5.4, 5.5, 6.15 (#SS, #GP, #AC); AMD64 APM volume 2, 4.7, 4.12.
 */
#include <string.h>
#include "cpu.h"

enum { SEGMENTS = 6, NO_SEGMENT = 7, MEMOP_SIZE = 3 };

extern void __real_tcg_gen_op3_x86_64(void *ctx, int opcode, uintptr_t a, uintptr_t b, uintptr_t c);
extern void __real_tcg_gen_qemu_ld_i32_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
extern void __real_tcg_gen_qemu_ld_i64_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
extern void __real_tcg_gen_qemu_st_i32_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
extern void __real_tcg_gen_qemu_st_i64_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
void __wrap_tcg_gen_op3_x86_64(void *ctx, int opcode, uintptr_t a, uintptr_t b, uintptr_t c);
void __wrap_tcg_gen_qemu_ld_i32_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
void __wrap_tcg_gen_qemu_ld_i64_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
void __wrap_tcg_gen_qemu_st_i32_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);
void __wrap_tcg_gen_qemu_st_i64_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op);

/* ---- which segments are to be checked ---- */

static const char *segment(struct cpu *c, unsigned n) { return c->env + U_ENV_SEGS + n * U_SEG_SIZE; }
static uint32_t flags_of(const char *s) { return FIELD(const uint32_t, s, U_SEG_FLAGS); }
static uint32_t limit_of(const char *s) { return FIELD(const uint32_t, s, U_SEG_LIMIT); }

static bool flat(const char *s)
{
    return limit_of(s) == UINT32_MAX && (flags_of(s) & (DESC_PRESENT | DESC_CODE | DESC_W | DESC_EXPAND_DOWN)) == (DESC_PRESENT | DESC_W);
}

void cpu_segments_changed(struct cpu *c)
{
    uint32_t *hflags = &ENV(uint32_t, U_ENV_HFLAGS), now = *hflags, check = 0;
    if (c->ops->native && now & HF_PE && !(now & HF_CS64) && !(ENV(uint64_t, U_ENV_EFLAGS) & RFLAGS_VM)) {
        if (!flat(segment(c, SEG_DS)) || !flat(segment(c, SEG_ES)) || !flat(segment(c, SEG_SS)) || limit_of(segment(c, SEG_CS)) != UINT32_MAX)
            check |= HF_CHECK_SEGMENTS;
        check |= (flat(segment(c, SEG_FS)) ? 0u : (uint32_t)HF_CHECK_FS) | (flat(segment(c, SEG_GS)) ? 0u : (uint32_t)HF_CHECK_GS);
    }
    *hflags = (now & ~(uint32_t)(HF_CHECK_SEGMENTS | HF_CHECK_FS | HF_CHECK_GS)) | check;
    /* Else the translator adds no base of 0, and nobody knows whose it would have been. What goes through a null FS or GS
     * faults at once, and nothing of the same instruction can be taken for it. */
    if (check & HF_CHECK_SEGMENTS || (check & HF_CHECK_FS && flags_of(segment(c, SEG_FS)) & DESC_PRESENT) ||
        (check & HF_CHECK_GS && flags_of(segment(c, SEG_GS)) & DESC_PRESENT))
        *hflags |= HF_ADDSEG;
}

extern void __real_helper_load_seg_x86_64(char *env, int which, int selector);
extern void __real_helper_sysret_x86_64(char *env, int size);
extern void __real_helper_sysexit_x86_64(char *env, int size);
void __wrap_helper_load_seg_x86_64(char *env, int which, int selector);
void __wrap_helper_sysret_x86_64(char *env, int size);
void __wrap_helper_sysexit_x86_64(char *env, int size);

#define LOADING(name, parameters, ...) \
    void __wrap_helper_##name##_x86_64 parameters \
    { \
        struct cpu *c = cpu_of_env(env); \
        X86(c)->helper_ra = RETURN_ADDRESS; \
        __real_helper_##name##_x86_64(__VA_ARGS__); \
        X86(c)->helper_ra = 0; \
        cpu_segments_changed(c); \
    }
LOADING(load_seg, (char *env, int which, int selector), env, which, selector)
LOADING(sysret, (char *env, int size), env, size)
LOADING(sysexit, (char *env, int size), env, size)

/* ---- while translating ---- */

void cpu_memory_begins(struct cpu *c)
{
    uint32_t flags = FIELD(const uint32_t, c->translating, U_TB_FLAGS);
    X86(c)->check_alignment = flags & RFLAGS_AC && (flags & HF_CPL) == 3;
    X86(c)->check_segments = (flags & HF_CHECK_SEGMENTS ? 0xfu : 0u) | (flags & HF_CHECK_FS ? 1u << SEG_FS : 0u) | (flags & HF_CHECK_GS ? 1u << SEG_GS : 0u);
}

void __wrap_tcg_gen_op3_x86_64(void *ctx, int opcode, uintptr_t a, uintptr_t b, uintptr_t added)
{
    struct cpu *c = cpu_of_context(ctx);
    if (opcode == U_TCG_ADD_I64 && X86(c)->check_segments)
        for (unsigned n = 0; n < SEGMENTS; n++)
            if (added == (uintptr_t)ctx + FIELD(uintptr_t, (char *)ctx, U_TCG_SEG_BASE + n * sizeof(uintptr_t)))
                X86(c)->segment = n;
    __real_tcg_gen_op3_x86_64(ctx, opcode, a, b, added);
}

/* `address`: a temporary, by its place in the context. */
static void check_access(void *ctx, uintptr_t address, int op, bool write)
{
    struct cpu *c = cpu_of_context(ctx);
    unsigned segment = X86(c)->segment < SEGMENTS && X86(c)->check_segments >> X86(c)->segment & 1 ? X86(c)->segment : NO_SEGMENT;
    if (segment != NO_SEGMENT || (X86(c)->check_alignment && op & MEMOP_SIZE))
        cpu_emit_memory_hook(ctx, segment | (write ? ACCESS_IS_WRITE : 0u) | (unsigned)(op & MEMOP_SIZE) << ACCESS_SIZE_SHIFT, (char *)ctx + address);
}

#define ACCESS(name, write) \
    void __wrap_tcg_gen_qemu_##name##_x86_64(void *ctx, uintptr_t value, uintptr_t address, uintptr_t index, int op) \
    { \
        check_access(ctx, address, op, write); \
        __real_tcg_gen_qemu_##name##_x86_64(ctx, value, address, index, op); \
    }
ACCESS(ld_i32, false)
ACCESS(ld_i64, false)
ACCESS(st_i32, true)
ACCESS(st_i64, true)

#define LOCKED(name) \
    extern void __real_tcg_gen_atomic_##name##_i64_x86_64(void *ctx, uintptr_t old, uintptr_t address, uintptr_t value, uintptr_t index, int op); \
    void __wrap_tcg_gen_atomic_##name##_i64_x86_64(void *ctx, uintptr_t old, uintptr_t address, uintptr_t value, uintptr_t index, int op); \
    void __wrap_tcg_gen_atomic_##name##_i64_x86_64(void *ctx, uintptr_t old, uintptr_t address, uintptr_t value, uintptr_t index, int op) \
    { \
        check_access(ctx, address, op, true); \
        __real_tcg_gen_atomic_##name##_i64_x86_64(ctx, old, address, value, index, op); \
    }
LOCKED(xchg)
LOCKED(add_fetch)
LOCKED(and_fetch)
LOCKED(or_fetch)
LOCKED(xor_fetch)
LOCKED(fetch_add)
LOCKED(fetch_and)
LOCKED(fetch_or)
LOCKED(fetch_xor)

extern void __real_tcg_gen_atomic_cmpxchg_i64_x86_64(void *ctx, uintptr_t old, uintptr_t address, uintptr_t compared, uintptr_t value,
                                                     uintptr_t index, int op);
void __wrap_tcg_gen_atomic_cmpxchg_i64_x86_64(void *ctx, uintptr_t old, uintptr_t address, uintptr_t compared, uintptr_t value,
                                              uintptr_t index, int op);
void __wrap_tcg_gen_atomic_cmpxchg_i64_x86_64(void *ctx, uintptr_t old, uintptr_t address, uintptr_t compared, uintptr_t value,
                                              uintptr_t index, int op)
{
    check_access(ctx, address, op, true);
    __real_tcg_gen_atomic_cmpxchg_i64_x86_64(ctx, old, address, compared, value, index, op);
}

bool cpu_loads_segment(const uint8_t bytes[2])
{
    static const uint8_t LOADS[] = {0x07, 0x17, 0x1f, 0x8e, 0xc4, 0xc5}, LOADS_0F[] = {0xa1, 0xa9, 0xb2, 0xb4, 0xb5};
    if (bytes[0] == 0x0f)
        return memchr(LOADS_0F, bytes[1], sizeof LOADS_0F) != NULL;
    return memchr(LOADS, bytes[0], sizeof LOADS) != NULL;
}

/* ---- at each access ---- */

static bool allowed(const char *s, uint32_t offset, uint32_t bytes, bool write)
{
    uint32_t flags = flags_of(s), limit = limit_of(s), last = offset + (bytes - 1);
    if (!(flags & DESC_PRESENT) || (write ? flags & DESC_CODE || !(flags & DESC_W) : (flags & (DESC_CODE | DESC_W)) == DESC_CODE))
        return false;
    if (!(flags & DESC_CODE) && flags & DESC_EXPAND_DOWN)
        return offset > limit && last >= offset && last <= (flags & DESC_BIG ? UINT32_MAX : UINT16_MAX);
    return limit == UINT32_MAX || (last >= offset && last <= limit);
}

void cpu_fetch_hook(struct cpu *c, uint64_t offset, uintptr_t ra)
{
    if (offset > limit_of(segment(c, SEG_CS)))
        raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
}

void cpu_memory_hook(struct cpu *c, uint32_t access, uint64_t va, uintptr_t ra)
{
    uint32_t n = access & NO_SEGMENT, bytes = 1u << (access >> ACCESS_SIZE_SHIFT & MEMOP_SIZE);
    if (n < SEGMENTS) {
        const char *s = segment(c, n);
        if (!allowed(s, (uint32_t)(va - FIELD(const uint64_t, s, U_SEG_BASE)), bytes, access & ACCESS_IS_WRITE))
            raise_exception_err_ra_x86_64(c->env, n == SEG_SS ? VECTOR_SS : VECTOR_GP, 0, ra);
    }
    if (va & (bytes - 1) && ENV(uint64_t, U_ENV_CR) & CR0_AM && ENV(uint64_t, U_ENV_EFLAGS) & RFLAGS_AC && (ENV(uint32_t, U_ENV_HFLAGS) & HF_CPL) == 3)
        raise_exception_err_ra_x86_64(c->env, VECTOR_AC, 0, ra);
}
