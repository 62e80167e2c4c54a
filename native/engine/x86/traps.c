/* traps.c - where guest events reach the layer above: exceptions by libunicorn's hooks, the instructions that
 * libunicorn answers by itself (syscall, cpuid, rdtsc ...) by functions that stand in for its helpers.
 *
 * A stand-in runs inside generated code. It may answer and return, raise an exception with its return address, or
 * leave cpu_run() by cpu_leave_helper(). The hooks run between blocks, with all registers in sync.
 */
#include "cpu.h"

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC (SDM vol. 3, 6.13) */
enum { VECTORS_WITH_ERROR = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 };
enum { CPL_MASK = 3 };

/* ---- exceptions ---- */

static void deliver(struct cpu *c, uint32_t vector, uint32_t flags)
{
    if (!c->ops->native)                        /* else the second fault in a row would look like a double fault */
        ENV(int32_t, U_ENV_OLD_EXCEPTION) = -1;
    if (!c->settled) {                          /* a way to raise exceptions that this file does not know: our defect */
        c->exit.reason = EXIT_FATAL;
        c->exit.vector = vector;
        cpu_leave(c);
        return;
    }
    c->settled = false;
    native_interrupted(c, vector);
    if (c->watching)
        cpu_watch_forget(c);
    if (!(flags & TRAP_SOFTWARE))
        c->trap_at = cpu_retired(c);
    struct trap trap = {.vector = vector, .flags = flags, .address = ENV(uint64_t, U_ENV_CR + 16)};
    if (!(flags & TRAP_SOFTWARE) && vector < 32 && VECTORS_WITH_ERROR >> vector & 1) {
        trap.flags |= TRAP_HAS_ERROR;
        trap.error = ENV(uint32_t, U_ENV_ERROR_CODE);
    }
    bool go_on = c->ops->exception(c->ops->ctx, c, &trap);
    ENV(int32_t, U_ENV_OLD_EXCEPTION) = -1;     /* of a native cpu too: it was delivered, or is none any more */
    if (go_on) {
        cpu_tlb_sync(c);
        if (c->stop_asked) {
            cpu_leave_at_breakpoint(c);
            cpu_leave(c);
        }
    } else {
        cpu_leave(c);
    }
}

void T(target_exception)(uc_struct *uc, uint32_t vector, void *user)
{
    (void)uc;
    struct cpu *c = user;
    uint32_t software = ENV(int32_t, U_ENV_EXCEPTION_IS_INT) ? TRAP_SOFTWARE : 0;
    ENV(int32_t, U_ENV_EXCEPTION_IS_INT) = 0;
    deliver(c, vector, software);
}

bool T(target_undefined)(uc_struct *uc, void *user)
{
    (void)uc;
    deliver(user, VECTOR_UD, TRAP_UNDECODED);
    return true;
}

/* ---- exceptions that generated code raises without a return address: the count is settled on the way ---- */

extern void __real_helper_raise_exception_x86_64(char *env, int vector);
extern void __real_helper_raise_interrupt_x86_64(char *env, int vector, int length);
extern void __real_helper_single_step_x86_64(char *env);
extern void __real_helper_rechecking_single_step_x86_64(char *env);
extern void __real_helper_into_x86_64(char *env, int length);
void __wrap_helper_raise_exception_x86_64(char *env, int vector);
void __wrap_helper_raise_interrupt_x86_64(char *env, int vector, int length);
void __wrap_helper_single_step_x86_64(char *env);
void __wrap_helper_rechecking_single_step_x86_64(char *env);
void __wrap_helper_into_x86_64(char *env, int length);

void __wrap_helper_raise_exception_x86_64(char *env, int vector)
{
    cpu_settle(cpu_of_env(env), RETURN_ADDRESS, 0);
    cpu_of_env(env)->m->hooked--;
    __real_helper_raise_exception_x86_64(env, vector);
}

void __wrap_helper_raise_interrupt_x86_64(char *env, int vector, int length)
{
    cpu_of_env(env)->settled = true;            /* a trap, the last of its block */
    X86(cpu_of_env(env))->int_bytes = length;
    __real_helper_raise_interrupt_x86_64(env, vector, length);
}

void __wrap_helper_single_step_x86_64(char *env)
{
    cpu_of_env(env)->settled = true;            /* behind the only instruction of its block */
    __real_helper_single_step_x86_64(env);
}

void __wrap_helper_rechecking_single_step_x86_64(char *env)
{
    cpu_of_env(env)->settled = true;
    __real_helper_rechecking_single_step_x86_64(env);
    cpu_of_env(env)->settled = false;           /* TF was clear: no exception */
}

void __wrap_helper_into_x86_64(char *env, int length)
{
    struct cpu *c = cpu_of_env(env);
    int64_t before = LEFT;
    cpu_settle(c, RETURN_ADDRESS, length);
    X86(c)->int_bytes = length;
    __real_helper_into_x86_64(env, length);
    LEFT = before;                              /* no overflow: the block goes on */
    c->settled = false;
}

/* ---- stand-ins ---- */

void __wrap_helper_syscall_x86_64(char *env, int length);
void __wrap_helper_sysenter_x86_64(char *env, int length);
void __wrap_helper_cpuid_x86_64(char *env);
void __wrap_helper_rdtsc_x86_64(char *env);
void __wrap_helper_rdtscp_x86_64(char *env);
void __wrap_helper_rdpmc_x86_64(char *env);
void __wrap_helper_pause_x86_64(char *env, int length) __attribute__((noreturn));
uint64_t __wrap_helper_rdrand_x86_64(char *env);

/* The instruction is the last of its block and has retired. */
static void system_call(struct cpu *c, int length, bool (*answer)(void *, struct cpu *))
{
    struct x86_gprs *r = cpu_gprs(c);
    r->rip += (uint64_t)length;
    if (answer(c->ops->ctx, c)) {
        cpu_tlb_sync(c);
        return;
    }
    cpu_leave_helper(c);
}

void __wrap_helper_syscall_x86_64(char *env, int length)
{
    struct cpu *c = cpu_of_env(env);
    if (c->ops->native)
        native_syscall(c, length);
    else
        system_call(c, length, c->ops->syscall);
}

void __wrap_helper_sysenter_x86_64(char *env, int length)
{
    struct cpu *c = cpu_of_env(env);
    __wrap_cpu_restore_state_x86_64(c->cs, RETURN_ADDRESS, false);       /* rip is that of the block */
    if (c->ops->native)
        native_sysenter(c);
    else
        system_call(c, length, c->ops->sysenter);
}

void __wrap_helper_cpuid_x86_64(char *env)
{
    struct cpu *c = cpu_of_env(env);
    struct x86_gprs *r = cpu_gprs(c);
    uint32_t out[4] = {0, 0, 0, 0};
    c->block = cpu_block_at(c, RETURN_ADDRESS);
    c->ops->cpuid(c->ops->ctx, c, (uint32_t)r->rax, (uint32_t)r->rcx, out);
    c->block = NULL;
    r->rax = out[0];
    r->rbx = out[1];
    r->rcx = out[2];
    r->rdx = out[3];
}

static void read_tsc(struct cpu *c, uintptr_t ra)
{
    if (ENV(uint64_t, U_ENV_CR + 32) & CR4_TSD && ENV(uint32_t, U_ENV_HFLAGS) & CPL_MASK)
        raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
    c->block = cpu_block_at(c, ra);
    uint64_t tsc = c->ops->tsc(c->ops->ctx, c);
    c->block = NULL;
    cpu_gprs(c)->rax = (uint32_t)tsc;
    cpu_gprs(c)->rdx = tsc >> 32;
}

void __wrap_helper_rdtsc_x86_64(char *env) { read_tsc(cpu_of_env(env), RETURN_ADDRESS); }

void __wrap_helper_rdtscp_x86_64(char *env)
{
    struct cpu *c = cpu_of_env(env);
    read_tsc(c, RETURN_ADDRESS);
    cpu_gprs(c)->rcx = (uint32_t)ENV(uint64_t, U_ENV_TSC_AUX);
}

void __wrap_helper_rdpmc_x86_64(char *env) { raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, RETURN_ADDRESS); }

/* The last of its block. libunicorn would leave its execution loop, for others to run: who runs is not decided here. */
void __wrap_helper_pause_x86_64(char *env, int length)
{
    struct cpu *c = cpu_of_env(env);
    cpu_gprs(c)->rip += (uint64_t)length;
    cpu_loop_exit_x86_64(c->cs);
}

/* Not offered by CPUID and refused while translating; were it reached, it must not read the host's generator. */
uint64_t __wrap_helper_rdrand_x86_64(char *env) { raise_exception_err_ra_x86_64(env, VECTOR_UD, 0, RETURN_ADDRESS); }
