/* tasks.c - far transfers and the task register: what libunicorn's way through descriptors leaves out.
 *
 * A stack segment that is not present is #SS whoever loads it: IRET, RET, CALL through a gate, delivery, a task switch.
 * libunicorn says #NP or #TS; which segment is meant follows from its descriptor. The T bit of a TSS is a #DB behind the switch.
 * Its helpers find the instruction by the address to which they return. Where ours must go on behind one, that is an address
 * in this file: cpu_helper_ra() leads from it to the right one.
 * Facts: Intel SDM volume 3, 6.15 (#SS), 7.2.1 (T), 7.3; volume 2, LTR; AMD64 APM volume 2, 12.2.4 (TSS in long mode).
 */
#include "cpu.h"

enum { SELECTOR_LDT = 4, SELECTOR_INDEX = 0xfff8 };
enum { TSS16 = 1, TSS32 = 9, TSS_TRAP = 0x64, DR6_BT = 1 << 15 };

extern void __real_helper_ltr_x86_64(char *env, int selector);
extern void __real_helper_ljmp_protected_x86_64(char *env, int cs, uint64_t eip, uint64_t next);
extern void __real_helper_lcall_protected_x86_64(char *env, int cs, uint64_t eip, int shift, uint64_t next);
extern void __real_helper_iret_protected_x86_64(char *env, int shift, int next);
extern void __real_helper_lret_protected_x86_64(char *env, int shift, int addend);
extern void __real_raise_exception_err_ra_x86_64(char *env, int vector, int error, uintptr_t ra) __attribute__((noreturn));
extern void __real_raise_exception_err_x86_64(char *env, int vector, int error) __attribute__((noreturn));
void __wrap_helper_ltr_x86_64(char *env, int selector);
void __wrap_helper_ljmp_protected_x86_64(char *env, int cs, uint64_t eip, uint64_t next);
void __wrap_helper_lcall_protected_x86_64(char *env, int cs, uint64_t eip, int shift, uint64_t next);
void __wrap_helper_iret_protected_x86_64(char *env, int shift, int next);
void __wrap_helper_lret_protected_x86_64(char *env, int shift, int addend);
void __wrap_raise_exception_err_ra_x86_64(char *env, int vector, int error, uintptr_t ra) __attribute__((noreturn));
void __wrap_raise_exception_err_x86_64(char *env, int vector, int error) __attribute__((noreturn));
void __wrap_cpu_abort_x86_64(char *cs, const char *format, ...) __attribute__((noreturn));

/* ---- a transfer ---- */

static uint32_t task(struct cpu *c) { return ENV(uint32_t, U_ENV_TR + U_SEG_SELECTOR); }

void cpu_transfer_begin(struct cpu *c, uintptr_t ra)
{
    X86(c)->transfer = true;
    X86(c)->transfer_task = task(c);
    X86(c)->helper_ra = ra;
}

/* The #DB of the new task, whose first instruction is next. */
void cpu_transfer_end(struct cpu *c)
{
    bool switched = X86(c)->transfer_task != task(c);
    uint64_t tss = ENV(uint64_t, U_ENV_TR + U_SEG_BASE);
    X86(c)->transfer = false;
    X86(c)->helper_ra = 0;
    cpu_segments_changed(c);
    if (!switched || (ENV(uint32_t, U_ENV_TR + U_SEG_FLAGS) >> DESC_TYPE_SHIFT & DESC_TYPES) != TSS32)
        return;
    c->settled = true;            /* the instruction that switched, the last of its block, has retired */
    bool trap = cpu_ldl_mmuidx_ra_x86_64(c->env, (uint32_t)(tss + TSS_TRAP), MMU_KERNEL, 0) & 1;
    if (trap) {
        ENV(uint64_t, U_ENV_DR + 48) |= DR6_BT;
        ENV(uint32_t, U_ENV_HFLAGS) &= ~(uint32_t)HF_INHIBIT_IRQ;
        raise_exception_err_ra_x86_64(c->env, VECTOR_DB, 0, 0);
    }
    c->settled = false;
}

uintptr_t cpu_helper_ra(struct cpu *c, uintptr_t ra) { return X86(c)->helper_ra && ra && !cpu_block_at(c, ra) ? X86(c)->helper_ra : ra; }

#define TRANSFER(name, parameters, ...) \
    void __wrap_helper_##name##_x86_64 parameters \
    { \
        struct cpu *c = cpu_of_env(env); \
        cpu_transfer_begin(c, RETURN_ADDRESS); \
        __real_helper_##name##_x86_64(__VA_ARGS__); \
        cpu_transfer_end(c); \
    }
TRANSFER(ljmp_protected, (char *env, int cs, uint64_t eip, uint64_t next), env, cs, eip, next)
TRANSFER(lcall_protected, (char *env, int cs, uint64_t eip, int shift, uint64_t next), env, cs, eip, shift, next)
TRANSFER(lret_protected, (char *env, int shift, int addend), env, shift, addend)

void __wrap_helper_iret_protected_x86_64(char *env, int shift, int next)
{
    enum { OF_64_BITS = 2 };
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    if (shift == OF_64_BITS && !x86_canonical(cpu_ldq_mmuidx_ra_x86_64(env, cpu_gprs(c)->rsp, MMU_KERNEL, ra)))
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, ra);
    cpu_transfer_begin(c, ra);
    __real_helper_iret_protected_x86_64(env, shift, next);
    cpu_transfer_end(c);
}

/* ---- absent stacks ---- */

/* Is `selector` that of a segment of data which is not present, and meant for SS? In the course of a task switch SS holds its
 * selector already; otherwise nothing but SS is loaded with one of data. */
static bool absent_stack(struct cpu *c, uint32_t selector)
{
    const char *table = c->env + (selector & SELECTOR_LDT ? U_ENV_LDT : U_ENV_GDT);
    uint32_t index = selector & SELECTOR_INDEX, ss = FIELD(uint32_t, c->env, U_ENV_SEGS + SEG_SS * U_SEG_SIZE + U_SEG_SELECTOR);
    if (index == 0 || index + 7 > FIELD(const uint32_t, table, U_SEG_LIMIT) || (X86(c)->transfer_task != task(c) && index != (ss & SELECTOR_INDEX)))
        return false;
    uint32_t high = cpu_ldl_mmuidx_ra_x86_64(c->env, FIELD(const uint64_t, table, U_SEG_BASE) + index + 4, MMU_KERNEL, X86(c)->helper_ra);
    return (high & (DESC_S | DESC_CODE | DESC_PRESENT)) == DESC_S;
}

static int corrected(struct cpu *c, int vector, int error)
{
    bool transfer = X86(c)->transfer;
    X86(c)->transfer = false;
    return transfer && (vector == VECTOR_NP || vector == VECTOR_TS) && absent_stack(c, (uint32_t)error) ? VECTOR_SS : vector;
}

/* Once the task has been switched, the exception is the new one's, before its first instruction. */
void __wrap_raise_exception_err_ra_x86_64(char *env, int vector, int error, uintptr_t ra)
{
    struct cpu *c = cpu_of_env(env);
    bool switched = X86(c)->transfer && X86(c)->transfer_task != task(c);
    vector = corrected(c, vector, error);
    if (switched) {
        c->settled = true;
        X86(c)->helper_ra = ra = 0;
        ENV(uint32_t, U_ENV_HFLAGS) &= ~(uint32_t)HF_INHIBIT_IRQ;
    }
    __real_raise_exception_err_ra_x86_64(env, vector, error, ra);
}

void __wrap_raise_exception_err_x86_64(char *env, int vector, int error)
{
    __real_raise_exception_err_x86_64(env, corrected(cpu_of_env(env), vector, error), error);
}

/* ---- the task register ---- */

/* libunicorn takes a null selector, and a TSS of 16 bits in long mode. */
void __wrap_helper_ltr_x86_64(char *env, int selector)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    uint32_t index = (uint32_t)selector & SELECTOR_INDEX, limit = FIELD(uint32_t, c->env, U_ENV_GDT + U_SEG_LIMIT);
    if (index == 0)
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, ra);
    if (ENV(uint32_t, U_ENV_HFLAGS) & HF_LMA && !(selector & SELECTOR_LDT) && index + 7 <= limit) {
        uint64_t base = FIELD(uint64_t, c->env, U_ENV_GDT + U_SEG_BASE);
        if ((cpu_ldl_mmuidx_ra_x86_64(env, base + index + 4, MMU_KERNEL, ra) >> DESC_TYPE_SHIFT & DESC_TYPES) == TSS16)
            raise_exception_err_ra_x86_64(env, VECTOR_GP, (int)index, ra);
    }
    X86(c)->helper_ra = ra;
    __real_helper_ltr_x86_64(env, selector);
    X86(c)->helper_ra = 0;
}

/* libunicorn gives up when a stack is to come from a TSS that is none, which no processor could have loaded: a state that was
 * made so, from outside. */
void __wrap_cpu_abort_x86_64(char *cs, const char *format, ...)
{
    struct cpu *c = cpu_of_cs(cs);
    (void)format;
    c->settled = X86(c)->delivering = X86(c)->transfer = false;
    X86(c)->helper_ra = 0;
    c->exit.reason = EXIT_SHUTDOWN;
    cpu_leave_helper(c);
}
