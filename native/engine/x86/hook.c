/* hook.c - calls from generated code to us, in front of an instruction or behind it.
 *
 * Generated code can call only what libunicorn has a description of. One of those is of no use here: SVM's interception of
 * instructions, which we do not offer. Its description fits: all registers are in memory during the call, and may be changed.
 */
#include <string.h>
#include "cpu.h"

extern void helper_check_iob_x86_64(char *env, uint32_t port);
extern void helper_check_iow_x86_64(char *env, uint32_t port);
extern void helper_check_iol_x86_64(char *env, uint32_t port);
void __wrap_helper_svm_check_intercept_param_x86_64(char *env, uint32_t hook, uint64_t value);

/* ---- while translating ---- */

static void emit(void *ctx, uint32_t hook, TCGTemp *value)
{
    TCGTemp *number = cpu_constant(ctx, U_TCG_T_I32, hook), *args[3] = {cpu_env_temp(ctx), number, value};
    __real_tcg_gen_callN_x86_64(ctx, (void *)__wrap_helper_svm_check_intercept_param_x86_64, NULL, 3, args);
    tcg_temp_free_internal_x86_64(ctx, number);
}

void cpu_emit_hook(void *ctx, enum hook hook, uint64_t value)
{
    TCGTemp *temp = cpu_constant(ctx, U_TCG_T_I64, value);
    emit(ctx, hook, temp);
    tcg_temp_free_internal_x86_64(ctx, temp);
}

void cpu_emit_memory_hook(void *ctx, uint32_t access, void *temp) { emit(ctx, HOOK_MEMORY | access << HOOK_BITS, temp); }

/* ---- LGDT and LIDT of 64 bits: libunicorn takes any address ---- */

enum { TABLES = U_ENV_GDT, TABLES_BYTES = U_ENV_IDT + U_SEG_SIZE - U_ENV_GDT };
_Static_assert(TABLES_BYTES == sizeof(((struct x86_cpu *)0)->tables_before), "GDTR and IDTR, side by side");

static void check_tables(struct cpu *c, uintptr_t ra)
{
    if (x86_canonical(ENV(uint64_t, U_ENV_GDT + U_SEG_BASE)) && x86_canonical(ENV(uint64_t, U_ENV_IDT + U_SEG_BASE)))
        return;
    memcpy(c->env + TABLES, X86(c)->tables_before, TABLES_BYTES);
    raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
}

/* ---- INS and OUTS ---- */

/* #GP(0) unless the TSS's map lets it through. */
static void check_port(struct cpu *c, uint64_t bytes)
{
    uint32_t port = cpu_gprs(c)->rdx & 0xffff;
    if (bytes == 1)
        helper_check_iob_x86_64(c->env, port);
    else if (bytes == 2)
        helper_check_iow_x86_64(c->env, port);
    else
        helper_check_iol_x86_64(c->env, port);
}

/* ---- the call ---- */

void __wrap_helper_svm_check_intercept_param_x86_64(char *env, uint32_t hook, uint64_t value)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    X86(c)->helper_ra = ra;
    switch ((enum hook)(hook & ((1u << HOOK_BITS) - 1))) {
    case HOOK_NONE:
        break;
    case HOOK_PORT:
        check_port(c, value);
        break;
    case HOOK_TABLES_BEFORE:
        memcpy(X86(c)->tables_before, env + TABLES, TABLES_BYTES);
        break;
    case HOOK_TABLES_AFTER:
        check_tables(c, ra);
        break;
    case HOOK_FETCH:
        cpu_fetch_hook(c, value, ra);
        break;
    case HOOK_MEMORY:
        cpu_memory_hook(c, hook >> HOOK_BITS, value, ra);
        break;
    case HOOK_STRING:
        cpu_string_run(c, value);
        break;
    case HOOK_REFUSE:
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, ra);
    default:
        cpu_float_hook(c, (enum hook)hook, ra);
    }
    X86(c)->helper_ra = 0;
}
