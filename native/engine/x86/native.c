/* native.c - cpus whose ring 0 is the guest's own: delivery of exceptions and interrupts, HLT, control registers and MSRs,
 * SYSCALL and SYSENTER.
 *
 * Delivery itself is libunicorn's (real mode, protected mode with task gates, long mode with IST); what it does not check,
 * or gets wrong, is done here before it: the gate's descriptor, DPL for software interrupts, and the error codes that
 * name a gate. A fault on the way comes as an exception of its own; the library tells #DF and the triple fault.
 * Facts: Intel SDM volume 3, chapter 6 (6.12.1.2, 6.13); AMD64 APM volume 2, 6.1 (SYSCALL, SYSENTER), 8.2.
 */
#include "cpu.h"

/* Exceptions at whose instruction execution goes on: the frame has RF, so that no breakpoint comes twice (SDM vol. 3, 17.3.1.1).
 * #DE #BR #UD #NM #TS #NP #SS #GP #PF #MF #AC #XM */
enum { FAULTS = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 16 | 1 << 17 | 1 << 19 };
enum { ERROR_EXT = 1, ERROR_IDT = 2 };
enum { FLAT_CODE32 = 0x00c09b00, FLAT_CODE64 = 0x00a09b00, FLAT_DATA = 0x00c09300 };

extern void __real_helper_rdmsr_x86_64(char *env);
extern void __real_helper_wrmsr_x86_64(char *env);
extern void __real_helper_write_crN_x86_64(char *env, int reg, uint64_t value);
extern uint64_t __real_helper_read_crN_x86_64(char *env, int reg);
void __wrap_helper_rdmsr_x86_64(char *env);
void __wrap_helper_wrmsr_x86_64(char *env);
void __wrap_helper_write_crN_x86_64(char *env, int reg, uint64_t value);
uint64_t __wrap_helper_read_crN_x86_64(char *env, int reg);
void __wrap_helper_invlpg_x86_64(char *env, uint64_t va);
void __wrap_helper_hlt_x86_64(char *env, int length) __attribute__((noreturn));

/* ---- exceptions ---- */

/* What is wrong with the gate, as the error code that tells; 0: nothing that libunicorn would not find itself. */
static uint32_t gate_error(struct cpu *c, uint32_t vector, bool software, uint32_t *fault)
{
    *fault = VECTOR_GP;
    if (!(ENV(uint64_t, U_ENV_CR) & CR0_PE))
        return 0;
    bool lma = ENV(uint32_t, U_ENV_HFLAGS) & HF_LMA;
    uint32_t size = lma ? 16 : 8, error = vector << 3 | ERROR_IDT | (software ? 0u : ERROR_EXT);
    uint64_t base = FIELD(uint64_t, c->env, U_ENV_IDT + U_SEG_BASE), limit = FIELD(uint32_t, c->env, U_ENV_IDT + U_SEG_LIMIT);
    if (vector * size + size - 1 > limit)
        return error;
    uint32_t gate = cpu_ldl_mmuidx_ra_x86_64(c->env, base + vector * size + 4, MMU_KERNEL, 0);
    uint32_t type = gate >> DESC_TYPE_SHIFT & 0x1f;
    bool known = type == 0xe || type == 0xf || (!lma && (type == 5 || type == 6 || type == 7));
    if (!known || (software && (gate >> DESC_DPL_SHIFT & 3) < (ENV(uint32_t, U_ENV_HFLAGS) & HF_CPL)))
        return error;
    if (gate & DESC_PRESENT)
        return 0;
    *fault = VECTOR_NP;
    return error;
}

void cpu_raise(struct cpu *c, uint32_t vector, uint32_t error)
{
    c->settled = true;
    raise_exception_err_ra_x86_64(c->env, (int)vector, (int)error, 0);
}

/* What follows is delivered by libunicorn; native_interrupted() ends it when that faults. */
static void begin_delivery(struct cpu *c, bool fault)
{
    X86(c)->delivering = true;
    X86(c)->rf_before = ENV(uint64_t, U_ENV_EFLAGS) & RFLAGS_RF;
    if (fault)
        ENV(uint64_t, U_ENV_EFLAGS) |= RFLAGS_RF;
}

void native_interrupted(struct cpu *c, uint32_t vector)
{
    if (!X86(c)->delivering)
        return;
    X86(c)->delivering = false;
    ENV(uint64_t, U_ENV_EFLAGS) = (ENV(uint64_t, U_ENV_EFLAGS) & ~RFLAGS_RF) | X86(c)->rf_before;
    if (vector >= VECTOR_TS && vector <= VECTOR_GP)
        ENV(uint32_t, U_ENV_ERROR_CODE) |= ERROR_EXT;
}

void cpu_deliver(struct cpu *c, const struct trap *trap)
{
    bool software = trap->flags & TRAP_SOFTWARE;
    uint32_t fault;
    c->settled = true;            /* whatever comes on the way belongs to no block */
    if (software)                 /* a fault is the instruction's, which then has not retired */
        cpu_gprs(c)->rip -= (uint64_t)X86(c)->int_bytes, cpu_unretire(c);
    uint32_t error = gate_error(c, trap->vector, software, &fault);
    if (error)
        cpu_raise(c, fault, error);
    CS(int32_t, U_CS_EXCEPTION_INDEX) = (int32_t)trap->vector;
    ENV(int32_t, U_ENV_EXCEPTION_IS_INT) = software;
    ENV(uint64_t, U_ENV_EXCEPTION_NEXT_EIP) = cpu_gprs(c)->rip + (uint64_t)X86(c)->int_bytes;
    ENV(uint32_t, U_ENV_ERROR_CODE) = trap->error;
    cpu_transfer_begin(c, 0);
    if (!software)
        begin_delivery(c, trap->vector < 32 && FAULTS >> trap->vector & 1);
    x86_cpu_do_interrupt_x86_64(c->cs);
    X86(c)->delivering = false;
    ENV(int32_t, U_ENV_EXCEPTION_IS_INT) = 0;
    c->settled = false;
    if (software)
        cpu_retire(c);
    cpu_transfer_end(c);
}

/* ---- interrupts ---- */

void cpu_set_attention(struct cpu *c, bool wanted)
{
    enum { INTERRUPT_HARD = 2 };
    if (wanted)
        CS(uint32_t, U_CS_INTERRUPT_REQUEST) |= INTERRUPT_HARD;
    else
        CS(uint32_t, U_CS_INTERRUPT_REQUEST) &= ~(uint32_t)INTERRUPT_HARD;
}

/* libunicorn asks between two blocks, as long as attention is wanted. */
bool T(target_exec_interrupt)(void *cs, int request)
{
    struct cpu *c = cpu_of_cs(cs);
    (void)request;
    if (!c->ops->native || ENV(uint32_t, U_ENV_HFLAGS) & HF_INHIBIT_IRQ || LEFT <= 0)
        return false;
    uint32_t can = (ENV(uint64_t, U_ENV_EFLAGS) & RFLAGS_IF ? TAKE_INTERRUPT : 0u) |
                   (ENV(uint32_t, U_ENV_HFLAGS2) & HF2_NMI ? 0u : TAKE_NMI);
    if (!can)
        return false;
    int vector = c->ops->interrupt(c->ops->ctx, c, can);
    if (vector < 0)
        return false;
    uint32_t fault, error;
    c->settled = true;
    c->trap_at = cpu_retired(c);
    if (vector == VECTOR_NMI)
        ENV(uint32_t, U_ENV_HFLAGS2) |= HF2_NMI;
    if ((error = gate_error(c, (uint32_t)vector, false, &fault)))
        cpu_raise(c, fault, error);
    cpu_transfer_begin(c, 0);
    begin_delivery(c, false);
    do_interrupt_x86_hardirq_x86_64(c->env, vector, 1);
    X86(c)->delivering = false;
    c->settled = false;
    cpu_transfer_end(c);
    return true;
}

void __wrap_helper_hlt_x86_64(char *env, int length)
{
    struct cpu *c = cpu_of_env(env);
    cpu_gprs(c)->rip += (uint64_t)length;                /* the last of its block: it has retired */
    ENV(uint32_t, U_ENV_HFLAGS) &= ~(uint32_t)HF_INHIBIT_IRQ;
    if (c->ops->halt(c->ops->ctx, c))
        cpu_loop_exit_x86_64(c->cs);
    cpu_leave_helper(c);
}

/* ---- MSRs and control registers ---- */

/* Returns IO_DONE or IO_ENGINE. */
static enum io_answer msr(struct cpu *c, bool write, uint64_t *value, uintptr_t ra)
{
    bool alone = cpu_is_alone(c, ra);
    c->block = cpu_block_at(c, ra);
    enum io_answer answer = c->ops->msr(c->ops->ctx, c, (uint32_t)cpu_gprs(c)->rcx, write, value, alone);
    c->block = NULL;
    if (answer == IO_ALONE)
        cpu_again_alone(c, ra);
    if (answer == IO_FAULT)
        raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
    return answer;
}

void __wrap_helper_rdmsr_x86_64(char *env)
{
    struct cpu *c = cpu_of_env(env);
    uint64_t value = 0;
    if (msr(c, false, &value, RETURN_ADDRESS) == IO_ENGINE) {
        __real_helper_rdmsr_x86_64(env);
        return;
    }
    cpu_gprs(c)->rax = (uint32_t)value;
    cpu_gprs(c)->rdx = value >> 32;
}

void __wrap_helper_wrmsr_x86_64(char *env)
{
    struct cpu *c = cpu_of_env(env);
    uint64_t value = cpu_gprs(c)->rdx << 32 | (uint32_t)cpu_gprs(c)->rax;
    if (msr(c, true, &value, RETURN_ADDRESS) == IO_ENGINE)
        __real_helper_wrmsr_x86_64(env);
}

/* No stale translation is cached (tables.c). */
void __wrap_helper_invlpg_x86_64(char *env, uint64_t va)
{
    (void)env;
    (void)va;
}

void __wrap_helper_write_crN_x86_64(char *env, int reg, uint64_t value)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    c->block = cpu_block_at(c, ra);
    bool allowed = c->ops->write_cr(c->ops->ctx, c, reg, &value);
    c->block = NULL;
    if (!allowed)
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, ra);
    bool same = reg == 3 && value == ENV(uint64_t, U_ENV_CR + 24);     /* nothing that is cached is stale (tables.c) */
    if (reg != 8 && !same)
        __real_helper_write_crN_x86_64(env, reg, value);
    if (reg == 4)
        cpu_umip_changed(c);
    if (reg == 0)
        cpu_segments_changed(c);
}

uint64_t __wrap_helper_read_crN_x86_64(char *env, int reg)
{
    struct cpu *c = cpu_of_env(env);
    return reg == 8 ? c->ops->read_cr8(c->ops->ctx, c) : __real_helper_read_crN_x86_64(env, reg);
}

/* ---- SYSCALL, SYSENTER ---- */

static void flat(struct cpu *c, enum x86_segment which, uint64_t selector, uint32_t attributes)
{
    const struct x86_segment_state segment = {.selector = (uint32_t)selector & 0xffff, .limit = UINT32_MAX, .attributes = attributes};
    cpu_set_segment(c, which, &segment);
}

static void refuse(struct cpu *c) __attribute__((noreturn));
static void refuse(struct cpu *c)
{
    cpu_unretire(c);
    cpu_raise(c, VECTOR_UD, 0);
}

void native_syscall(struct cpu *c, int length)
{
    struct x86_gprs *r = cpu_gprs(c);
    uint64_t star = ENV(uint64_t, U_ENV_STAR), selector = star >> 32 & 0xfffc, flags = cpu_rflags(c);
    if (!(ENV(uint64_t, U_ENV_EFER) & EFER_SCE))
        refuse(c);
    uint64_t next = r->rip + (uint64_t)length;
    bool lma = ENV(uint32_t, U_ENV_HFLAGS) & HF_LMA, from64 = ENV(uint32_t, U_ENV_HFLAGS) & HF_CS64;
    r->rcx = lma ? next : (uint32_t)next;
    if (lma)
        r->r11 = flags & ~RFLAGS_RF;
    flat(c, SEG_CS, selector, lma ? FLAT_CODE64 : FLAT_CODE32);
    flat(c, SEG_SS, selector + 8, FLAT_DATA);
    cpu_set_rflags(c, flags & ~RFLAGS_RF & ~(lma ? ENV(uint64_t, U_ENV_FMASK) : RFLAGS_IF | RFLAGS_VM));
    r->rip = !lma ? (uint32_t)star : from64 ? ENV(uint64_t, U_ENV_LSTAR) : ENV(uint64_t, U_ENV_CSTAR);
}

/* The processor that CPUID shows is AMD's, where SYSENTER exists outside of long mode only. */
void native_sysenter(struct cpu *c)
{
    struct x86_gprs *r = cpu_gprs(c);
    uint32_t selector = ENV(uint32_t, U_ENV_SYSENTER_CS) & 0xfffc;
    if (ENV(uint64_t, U_ENV_EFER) & EFER_LMA)
        refuse(c);
    if (!selector || !(ENV(uint64_t, U_ENV_CR) & CR0_PE)) {
        cpu_unretire(c);
        cpu_raise(c, VECTOR_GP, 0);
    }
    cpu_set_rflags(c, cpu_rflags(c) & ~(RFLAGS_IF | RFLAGS_RF | RFLAGS_VM));
    flat(c, SEG_CS, selector, FLAT_CODE32);
    flat(c, SEG_SS, selector + 8, FLAT_DATA);
    r->rsp = (uint32_t)ENV(uint64_t, U_ENV_SYSENTER_ESP);
    r->rip = (uint32_t)ENV(uint64_t, U_ENV_SYSENTER_EIP);
}
