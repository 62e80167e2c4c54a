/* canonical.c - jumps to addresses that are not canonical: #GP(0) at the jump, with the stack as it was.
 *
 * libunicorn goes there, and finds at the fetch that it cannot; then nobody knows any more who jumped. Indirect jumps, calls
 * and near returns ask it for the next block, and are caught there; IRET is looked at before.
 * Facts: AMD64 APM volume 3, JMP, CALL, RET, IRET; Intel SDM volume 2, the same.
 */
#include "cpu.h"

enum { WORD = 8 };
enum { RET_POP = 0xc2, RET = 0xc3, GROUP5 = 0xff, GROUP5_CALL = 2 };

extern void *__real_helper_lookup_tb_ptr_x86_64(char *env);
void *__wrap_helper_lookup_tb_ptr_x86_64(char *env);

/* The jump has happened. Back to before it: only the stack pointer has changed, and what a call pushed is not seen. */
static void refuse(struct cpu *c, uintptr_t ra) __attribute__((noreturn));
static void refuse(struct cpu *c, uintptr_t ra)
{
    struct x86_gprs *r = cpu_gprs(c);
    __wrap_cpu_restore_state_x86_64(c->cs, ra, false);
    uint64_t pc = r->rip;
    while (cpu_is_prefix(cpu_ldub_code_x86_64(c->env, pc), true))
        pc++;
    uint8_t opcode = cpu_ldub_code_x86_64(c->env, pc);
    if (opcode == RET)
        r->rsp -= WORD;
    else if (opcode == RET_POP)
        r->rsp -= WORD + (uint64_t)cpu_lduw_code_x86_64(c->env, pc + 1);
    else if (opcode == GROUP5 && (cpu_ldub_code_x86_64(c->env, pc + 1) >> 3 & 7) == GROUP5_CALL)
        r->rsp += WORD;
    raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
}

/* Generated code asks for the block at rip. */
void *__wrap_helper_lookup_tb_ptr_x86_64(char *env)
{
    if (!x86_canonical(FIELD(uint64_t, env, U_ENV_EIP)) && cpu_of_env(env)->ops->native)
        refuse(cpu_of_env(env), RETURN_ADDRESS);
    return __real_helper_lookup_tb_ptr_x86_64(env);
}
