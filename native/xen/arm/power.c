/* power.c - what calls of the power interface do to a domain and its vcpus (psci.c decodes them). */
#include "arm.h"
#include "psci.h"
#include "../../abi/sched.h"

struct call { struct hv *hv; struct vcpu *v; bool leaves; enum exit_reason reason; };

static bool is_on(void *ctx, unsigned vcpu)
{
    const struct call *c = ctx;
    const struct vcpu *v = hv_vcpu(c->hv, hv_domain(c->hv, c->v), vcpu);
    return v && v->online;
}

/* The vcpu's part of the interrupt controller, with nothing pending, and its timers off. */
static void reset_peripherals(struct hv *hv, struct vcpu *v)
{
    const struct domain *d = hv_domain(hv, v);
    struct vgic g = arm_vgic(hv, d);
    memset(arm_vcpu_of(hv, v)->timer, 0, sizeof arm_vcpu_of(hv, v)->timer);
    arm_expire(hv, v, hv_now(hv));
    vgic_init_vcpu(&g, v->id);
    arm_vgic_done(hv, d, &g);
}

static bool cpu_on(void *ctx, unsigned vcpu, uint64_t entry, uint64_t context)
{
    const struct call *c = ctx;
    struct hv *hv = c->hv;
    struct vcpu *v = hv_vcpu(hv, hv_domain(hv, c->v), vcpu);
    if (!v)
        return false;
    reset_peripherals(hv, v);
    arm_reset_cpu(hv, v, entry, context);
    v->initialised = v->online = 1;
    v->blocked = 0;
    hv_runstate_set(hv, v, RS_RUNNABLE);
    return true;
}

static void cpu_off(void *ctx)
{
    struct call *c = ctx;
    c->v->online = 0;
    c->leaves = true;
    c->reason = EXIT_IDLE;
}

static void suspend(void *ctx)
{
    struct call *c = ctx;
    arm_events_follow(c->hv, c->v);
    if (arm_interrupt_waits(c->hv, c->v))
        return;
    c->v->blocked = 1;
    c->leaves = true;
    c->reason = EXIT_IDLE;
}

static void shut_down(struct call *c, uint8_t code)
{
    struct domain *d = hv_domain(c->hv, c->v);
    d->shut_down = 1;
    d->shutdown_code = code;
    c->leaves = true;
    c->reason = EXIT_SHUTDOWN;
}

static void system_off(void *ctx) { shut_down(ctx, SHUTDOWN_poweroff); }
static void system_reset(void *ctx) { shut_down(ctx, SHUTDOWN_reboot); }

/* The record of a call for who traces them; 0: nobody does. */
static uint64_t log_call(struct hv *hv, const struct vcpu *v, const uint64_t x[4])
{
    if (!hv_tracing(hv, TRAP_LOG_POWER))
        return 0;
    memcpy(hv_log_record(hv, v, TRAP_LOG_POWER, (uint32_t)x[0])->args, x + 1, 3 * sizeof x[0]);
    return hv->traps.made;
}

bool arm_power(struct hv *hv, struct vcpu *v)
{
    const struct domain *d = hv_domain(hv, v);
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct call c = {.hv = hv, .v = v};
    const struct psci_effects effects = {
        .vcpus = d->vcpu_count, .is_on = is_on, .cpu_on = cpu_on, .cpu_off = cpu_off, .suspend = suspend,
        .system_off = system_off, .system_reset = system_reset,
    };
    uint64_t x[4];
    for (int i = 0; i < 4; i++)
        x[i] = arm_reg(cpu, i);
    const uint64_t record = log_call(hv, v, x);
    psci_call(&effects, &c, arm_narrow(d), x);
    if (record && !(c.leaves && !v->blocked))       /* who is off has no result */
        hv_log_answer(hv, record, (int32_t)x[0]);
    for (int i = 0; i < 4; i++)
        arm_set_reg(cpu, i, arm_narrow(d) ? (uint32_t)x[i] : x[i]);
    return c.leaves ? arm_leave(cpu, c.reason) : true;
}
