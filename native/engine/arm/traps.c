/* traps.c - where events of an ARM guest reach the layer above: exceptions, HVC and SMC, waiting, interrupts.
 *
 * Exceptions that a guest takes are taken at its EL1 by libunicorn's own entry; the layer above sees each before. Those that
 * libunicorn raises without a return address come from helpers that are wrapped here, so that their count is settled.
 *
 * An instruction that faults does not retire, but the exception counts as one step: else a guest whose vector faults would take
 * exceptions for ever while no time passes.
 */
#include "cpu.h"

enum { INTERRUPT_HARD = 2 };

/* ---- exceptions ---- */

static void call(struct cpu *c, bool (*answer)(void *, struct cpu *, uint32_t))
{
    if (answer(c->ops->ctx, c, ENV(uint32_t, U_ENV_SYNDROME) & 0xffff))
        cpu_tlb_sync(c);
    else
        cpu_leave(c);
}

static void take(struct cpu *c, uint32_t number)
{
    const uint32_t syndrome = ENV(uint32_t, U_ENV_SYNDROME);
    const bool abort = number == U_EXCP_PREFETCH_ABORT || number == U_EXCP_DATA_ABORT;
    const struct trap trap = {.vector = syndrome >> EC_SHIFT, .error = syndrome,
                              .flags = TRAP_HAS_ERROR | (number == U_EXCP_SWI ? (uint32_t)TRAP_SOFTWARE : 0u),
                              .address = abort ? ENV(uint64_t, U_ENV_VADDRESS) : 0};
    if (!c->ops->exception(c->ops->ctx, c, &trap)) {
        cpu_leave(c);
        return;
    }
    ENV(uint32_t, U_ENV_TARGET_EL) = 1;
    arm_cpu_do_interrupt_aarch64(c->cs);
    arm_exception_taken(c);
    if (number != U_EXCP_SWI)
        cpu_retire(c);
    cpu_tlb_sync(c);
}

bool arm_undefined_call(struct cpu *c)
{
    enum { CALL_BYTES = 4 };      /* in A64, A32 and T32 */
    arm_set_pc(c, arm_pc(c) - CALL_BYTES);
    cpu_unretire(c);
    ENV(uint32_t, U_ENV_SYNDROME) = ESR_IL;
    CS(int32_t, U_CS_EXCEPTION_INDEX) = U_EXCP_UDEF;
    take(c, U_EXCP_UDEF);
    return !c->leaving;
}

void T(target_exception)(uc_struct *uc, uint32_t number, void *user)
{
    (void)uc;
    struct cpu *c = user;
    if (!c->settled) {            /* a way to raise exceptions that this file does not know: our defect */
        c->exit.reason = EXIT_FATAL;
        c->exit.vector = number;
        cpu_leave(c);
        return;
    }
    c->settled = false;
    if (c->watching)
        cpu_watch_forget(c);
    if (number == U_EXCP_HVC)
        call(c, c->ops->hvc);
    else if (number == U_EXCP_SMC)
        call(c, c->ops->smc);
    else
        take(c, number);
}

bool T(target_undefined)(uc_struct *uc, void *user)
{
    T(target_exception)(uc, U_EXCP_UDEF, user);
    return true;
}

/* ---- helpers that raise exceptions where the program counter is already right ---- */

extern void __real_helper_exception_with_syndrome_aarch64(char *env, uint32_t number, uint32_t syndrome, uint32_t level);
extern void __real_helper_exception_bkpt_insn_aarch64(char *env, uint32_t syndrome);
extern void __real_helper_access_check_cp_reg_aarch64(char *env, void *reg, uint32_t syndrome, uint32_t read);
extern void __real_helper_msr_banked_aarch64(char *env, uint32_t value, uint32_t mode, uint32_t reg);
extern uint32_t __real_helper_mrs_banked_aarch64(char *env, uint32_t mode, uint32_t reg);
extern uint32_t __real_helper_get_r13_banked_aarch64(char *env, uint32_t mode);
void __wrap_helper_exception_bkpt_insn_aarch64(char *env, uint32_t syndrome);
void __wrap_helper_access_check_cp_reg_aarch64(char *env, void *reg, uint32_t syndrome, uint32_t read);
void __wrap_helper_msr_banked_aarch64(char *env, uint32_t value, uint32_t mode, uint32_t reg);
uint32_t __wrap_helper_mrs_banked_aarch64(char *env, uint32_t mode, uint32_t reg);
uint32_t __wrap_helper_get_r13_banked_aarch64(char *env, uint32_t mode);

/* The instruction faults, or is the last of its block and has retired: which, the program counter tells. */
static void settle(struct cpu *c, uint32_t number, uintptr_t ra)
{
    cpu_settle(c, ra, 0);
    if (number != U_EXCP_SWI && number != U_EXCP_HVC && number != U_EXCP_SMC)
        c->m->hooked--;
}

void __wrap_helper_exception_with_syndrome_aarch64(char *env, uint32_t number, uint32_t syndrome, uint32_t level)
{
    if (syndrome >> EC_SHIFT == EC_SP_ALIGNMENT)       /* our own call: the program counter is not set */
        __wrap_raise_exception_ra_aarch64(env, number, syndrome, level, RETURN_ADDRESS);
    settle(cpu_of_env(env), number, RETURN_ADDRESS);
    __real_helper_exception_with_syndrome_aarch64(env, number, syndrome, level);
}

void __wrap_helper_exception_bkpt_insn_aarch64(char *env, uint32_t syndrome)
{
    settle(cpu_of_env(env), U_EXCP_BKPT, RETURN_ADDRESS);
    __real_helper_exception_bkpt_insn_aarch64(env, syndrome);
}

/* libunicorn's restores the instruction's state last, and that overwrites the syndrome. */
void __wrap_raise_exception_ra_aarch64(void *env, uint32_t number, uint32_t syndrome, uint32_t level, uintptr_t ra)
{
    enum { CRN_PSTATE = 4 };
    const uint32_t op0 = syndrome >> 20 & 3, crn = syndrome >> 10 & 15, op1 = syndrome >> 14 & 7, op2 = syndrome >> 17 & 7;
    WRAP(cpu_restore_state)(cpu_of_env(env)->cs, ra, true);
    if (syndrome >> EC_SHIFT == EC_SYSREG && op0 == 0 && crn == CRN_PSTATE)       /* MSR of an immediate: op1, op2 exchanged */
        syndrome = (syndrome & ~(7u << 14 | 7u << 17)) | op2 << 14 | op1 << 17;
    raise_exception_aarch64(env, number, syndrome, level);
}

/* What may raise one or not: settled as if it did, and undone behind it if it did not. */
struct attempt { int64_t left, hooked; };

static struct attempt try(struct cpu *c, uintptr_t ra)
{
    const struct attempt before = {LEFT, c->m->hooked};
    settle(c, U_EXCP_UDEF, ra);
    return before;
}

static void go_on(struct cpu *c, struct attempt before)
{
    LEFT = before.left;
    c->m->hooked = before.hooked;
    c->settled = false;
}

/* Most are allowed, and many are made (DAIF): the register's own check is asked first, for what is settled needs a search. */
void __wrap_helper_access_check_cp_reg_aarch64(char *env, void *reg, uint32_t syndrome, uint32_t read)
{
    typedef uint32_t access_fn(char *env, const void *reg, bool read);
    enum { ALLOWED = 0 };
    struct cpu *c = cpu_of_env(env);
    access_fn *const check = FIELD(access_fn *const, (const char *)reg, U_RI_ACCESSFN);
    if (check && check(env, reg, read) == ALLOWED)
        return;
    const struct attempt before = try(c, RETURN_ADDRESS);
    __real_helper_access_check_cp_reg_aarch64(env, reg, syndrome, read);
    go_on(c, before);
}

void __wrap_helper_msr_banked_aarch64(char *env, uint32_t value, uint32_t mode, uint32_t reg)
{
    struct cpu *c = cpu_of_env(env);
    const struct attempt before = try(c, RETURN_ADDRESS);
    __real_helper_msr_banked_aarch64(env, value, mode, reg);
    go_on(c, before);
}

uint32_t __wrap_helper_mrs_banked_aarch64(char *env, uint32_t mode, uint32_t reg)
{
    struct cpu *c = cpu_of_env(env);
    const struct attempt before = try(c, RETURN_ADDRESS);
    const uint32_t value = __real_helper_mrs_banked_aarch64(env, mode, reg);
    go_on(c, before);
    return value;
}

uint32_t __wrap_helper_get_r13_banked_aarch64(char *env, uint32_t mode)
{
    struct cpu *c = cpu_of_env(env);
    const struct attempt before = try(c, RETURN_ADDRESS);
    const uint32_t value = __real_helper_get_r13_banked_aarch64(env, mode);
    go_on(c, before);
    return value;
}

/* ---- waiting: each is the last of its block, the program counter behind it ---- */

void __wrap_helper_wfi_aarch64(char *env, uint32_t length);
void __wrap_helper_wfe_aarch64(char *env) __attribute__((noreturn));
void __wrap_helper_yield_aarch64(char *env) __attribute__((noreturn));

void __wrap_helper_wfi_aarch64(char *env, uint32_t length)
{
    struct cpu *c = cpu_of_env(env);
    if (arm_level(c) == 0 && !(ID(U_ENV_SCTLR) & SCTLR_NTWI)) {
        arm_set_pc(c, arm_pc(c) - length);
        settle(c, U_EXCP_UDEF, RETURN_ADDRESS);
        raise_exception_aarch64(env, U_EXCP_UDEF, (uint32_t)EC_WFX << EC_SHIFT | (length == 4 ? ESR_IL : 0) | 1u << 24 | 0xeu << 20, 1);
    }
    if (ARM(c)->lines || c->ops->halt(c->ops->ctx, c))
        return;
    cpu_leave_helper(c);
}

/* libunicorn would leave its execution loop, for others to run: who runs is not decided here. An event is always there. */
void __wrap_helper_wfe_aarch64(char *env) { cpu_loop_exit_aarch64(cpu_of_env(env)->cs); }

void __wrap_helper_yield_aarch64(char *env) { cpu_loop_exit_aarch64(cpu_of_env(env)->cs); }

/* ---- interrupts ---- */

void cpu_set_lines(struct cpu *c, bool irq, bool fiq)
{
    ARM(c)->lines = (irq ? LINE_IRQ : 0u) | (fiq ? LINE_FIQ : 0u);
    if (ARM(c)->lines)
        CS(uint32_t, U_CS_INTERRUPT_REQUEST) |= INTERRUPT_HARD;
    else
        CS(uint32_t, U_CS_INTERRUPT_REQUEST) &= ~(uint32_t)INTERRUPT_HARD;
}

/* libunicorn asks between two blocks, as long as a line is up, and after each exception. */
bool T(target_exec_interrupt)(void *cs, int request)
{
    struct cpu *c = cpu_of_cs(cs);
    const uint64_t masked = ENV(uint64_t, U_ENV_DAIF);
    (void)request;
    const unsigned lines = ARM(c)->lines & ((masked & PSTATE_I ? 0u : LINE_IRQ) | (masked & PSTATE_F ? 0u : LINE_FIQ));
    if (!lines || LEFT <= 0)
        return false;
    c->trap_at = cpu_retired(c);
    CS(int32_t, U_CS_EXCEPTION_INDEX) = lines & LINE_FIQ ? U_EXCP_FIQ : U_EXCP_IRQ;
    ENV(uint32_t, U_ENV_TARGET_EL) = 1;
    arm_cpu_do_interrupt_aarch64(cs);
    arm_exception_taken(c);
    return true;
}

/* ---- translating ---- */

void arm_between_blocks(struct cpu *c)
{
    c->settled = true;            /* the block before has retired */
    if (LEFT > 0)
        return;
    c->exit.reason = EXIT_BUDGET;
    cpu_leave_helper(c);
}

void arm_check_pc(struct cpu *c, uint64_t pc)
{
    if (arm_is_narrow(c) || !(pc & 3))
        return;
    arm_between_blocks(c);
    ENV(uint64_t, U_ENV_VADDRESS) = pc;
    raise_exception_aarch64(c->env, U_EXCP_PREFETCH_ABORT, (uint32_t)EC_PC_ALIGNMENT << EC_SHIFT | ESR_IL, 1);
}

void target_begin_block(struct cpu *c)
{
    ARM(c)->stack_aligned = false;
    arm_check_pc(c, FIELD(const uint64_t, c->translating, U_TB_PC));
}

/* Of an access to a device, libunicorn tells where it went, not by which address. So the instruction is executed again, alone,
 * with no translation cached, and its fill of that page is refused (fill.c). */
void target_refuse_io(struct cpu *c, const struct io_access *access, uintptr_t ra)
{
    ARM(c)->refused = access->address >> ENGINE_PAGE_SHIFT;
    ARM(c)->refusing = true;
    c->kind->flush(c);
    cpu_again_alone(c, ra);
}
