/* cpu.c - an ARM vcpu between the engine and the hypervisor: exceptions, WFI, what a reset leaves, and the tables of arch.h. */
#include "arm.h"
#include "../io.h"
#include "../p2m.h"
#include "../../abi/arch/arm.h"

bool arm_leave(struct cpu *cpu, enum exit_reason reason)
{
    struct cpu_exit *e = cpu_exit_record(cpu);
    memset(e, 0, sizeof *e);
    e->reason = reason;
    return false;
}

bool arm_wait(struct hv *hv, struct vcpu *v)
{
    arm_events_follow(hv, v);
    if (arm_interrupt_waits(hv, v))
        return true;
    v->blocked = 1;
    return arm_leave(hv_cpu_of(hv, v), EXIT_IDLE);
}

/* ---- engine_ops ---- */

static bool on_halt(void *ctx, struct cpu *cpu)
{
    struct hv *hv = ctx;
    (void)cpu;
    return arm_wait(hv, hv->current);
}

/* An exception on its way to EL1. */
static bool on_exception(void *ctx, struct cpu *cpu, const struct trap *trap)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    hv->began = hv_retired(hv) - (trap->flags & TRAP_SOFTWARE ? 1 : 0);       /* SVC is counted already */
    if (hv_stops_on(hv, HV_STOP_TRAP) && stops_trap(hv, v, trap)) {
        cpu_leave_at_breakpoint(cpu);
        return false;
    }
    io_forget(hv, v);
    hv->trap_counts[v->domain_slot][hv_trap_index(trap->vector)]++;
    struct trap_record *record = hv_log_trap(hv, v, TRAP_LOG_EXCEPTION, trap->vector);
    record->error = trap->error;
    record->address = trap->address;
    return true;
}

/* Xen injects an abort that says nothing of itself; in AArch32 it is reported as a debug event (xen/arch/arm/traps.c,
 * inject_abt64_exception(), inject_abt32_exception()). */
static const struct arm_abort_report INJECTED = {.iss = 0, .fsr_long = 0x222, .fsr_short = 0x002};

const struct engine_ops ARM_OPS = {
    .native = true, .exception = on_exception, .io = arm_io, .breakpoint = stops_breakpoint, .watched = stops_watched,
    .halt = on_halt, .hvc = arm_hvc, .smc = arm_smc, .sysreg = arm_sysreg, .stage2 = arm_stage2,
    .abort_report = &INJECTED,
};

/* ---- registers ---- */

enum { PSR_THUMB = 1 << 5 };

void arm_reset_cpu(struct hv *hv, struct vcpu *v, uint64_t entry, uint64_t x0)
{
    const bool narrow = arm_narrow(hv_domain(hv, v));
    struct arm_state s = {.sctlr = SCTLR_GUEST_INIT, .exclusive_addr = UINT64_MAX};
    s.pstate = narrow ? PSR_GUEST32_INIT : PSR_GUEST64_INIT;
    s.pc = entry;
    if (narrow && entry & 1) {
        s.pc = entry - 1;
        s.pstate |= PSR_THUMB;
    }
    s.x[0] = x0;
    arm_set_state(hv_cpu_of(hv, v), &s);
    arm_show_lines(hv, v);
}

/* ---- the tables of arch.h ---- */

static void vcpu_created(struct hv *hv, struct vcpu *v)
{
    const struct domain *d = hv_domain(hv, v);
    arm_reset_cpu(hv, v, 0, 0);
    if (arm_of(hv, d)->gic.version == 0)
        return;                   /* hv_arm_reset() is still to come */
    struct vgic g = arm_vgic(hv, d);
    vgic_init_vcpu(&g, v->id);
}

static bool before_run(struct hv *hv, struct vcpu *v)
{
    if (hv->tlb_stale) {
        hv->tlb_stale = false;
        machine_tlb_stale(hv->m);
    }
    arm_show_lines(hv, v);
    if (io_under_way(hv, v))
        cpu_run_alone(hv_cpu_of(hv, v));
    return true;
}

static uint64_t registers(struct cpu *cpu, struct evidence *out)
{
    enum { SP = 31, SP_NARROW = 13, PC = 32, PSR_NARROW = 1 << 4 };
    for (int i = 0; i <= SP; i++)
        out->arm_registers[i] = arm_reg(cpu, i);
    out->arm_registers[PC] = cpu_pc(cpu);
    return out->arm_registers[arm_pstate(cpu) & PSR_NARROW ? SP_NARROW : SP];
}

static struct p2m *p2m(struct hv *hv, const struct domain *d) { return &arm_of(hv, d)->p2m; }

static struct io_queue *io(struct hv *hv, const struct vcpu *v) { return &arm_vcpu_of(hv, v)->io; }

static uint64_t *params(struct hv *hv, const struct domain *d) { return arm_of(hv, d)->params; }

static void set_line(struct hv *hv, struct domain *d, uint32_t line, bool level) { hv_arm_set_spi(hv, d, line, level); }

/* Xen's longs and handles have 64 bits on ARM, whatever the guest's. */
static bool wide(struct hv *hv, const struct vcpu *v)
{
    (void)hv;
    (void)v;
    return true;
}

#define ARM_TABLE(of_kind, of_model)                                                                                        \
    {                                                                                                                       \
        .kind = (of_kind), .model = (of_model), .shared = {&ARM_SHARED, &ARM_SHARED}, .ops = &ARM_OPS,                     \
        .domain = {offsetof(struct hv_state, arm_domain_offset), sizeof(struct arm_domain)},                                \
        .vcpu = {offsetof(struct hv_state, arm_vcpu_offset), sizeof(struct arm_vcpu)}, .vcpu_created = vcpu_created,        \
        .before_run = before_run, .registers = registers, .events_pending = arm_events_pending, .can_wake = arm_can_wake,   \
        .enable_events = arm_enable_events, .deadline = arm_deadline, .expire = arm_expire, .memory = arm_memory,           \
        .peek = arm_peek, .p2m = p2m, .io = io, .map_grant = p2m_map_grant, .replace_grant = p2m_replace_grant,             \
        .params = params, .set_line = set_line, .has = ARM_HAS, .calls = ARM_CALLS, .wide = wide,                           \
        .set_result = arm_set_result, .call_again = arm_call_again, .bad_register = arm_bad_register,                       \
        .vcpu_ok = arm_vcpu_ok, .domain_ok = arm_domain_ok,                                                                 \
    }

const struct arch ARCH_ARM64 = ARM_TABLE(HV_KIND_ARM64, CPU_ARM64);
const struct arch ARCH_ARM32 = ARM_TABLE(HV_KIND_ARM32, CPU_ARM32);
