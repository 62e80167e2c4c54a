/* hv_run.c - running a vcpu, the clock, and what the engine asks of the layer above it. */
#include "pv.h"
#include "decode.h"

uint64_t hv_now(struct hv *hv)
{
    return hv_retired(hv) + hv->s->idle_ns;
}

/* The TSC ticks at 1 GHz from system time 0. */
static uint64_t op_tsc(void *ctx, struct cpu *cpu)
{
    (void)cpu;
    return hv_now(ctx);
}

/* Every IN and OUT of a PV guest is a #GP first: permission is checked, and the access made, by the emulator. */
static bool op_port_allowed(void *ctx, struct cpu *cpu, uint32_t port, uint32_t size)
{
    (void)ctx;
    (void)cpu;
    (void)port;
    (void)size;
    return false;
}

void hv_bind_ops(struct hv *hv)
{
    const struct engine_ops ops = {
        .ctx = hv, .exception = op_exception, .syscall = op_syscall, .sysenter = op_sysenter, .translate = mm_translate,
        .cpuid = op_cpuid, .tsc = op_tsc, .port_allowed = op_port_allowed,
        .breakpoint = stops_breakpoint, .watched = stops_watched,
    };
    machine_set_ops(hv->m, &ops);
}

int hv_run(struct hv *hv, uint32_t vcpu_slot, int64_t budget, struct cpu_exit *exit)
{
    memset(exit, 0, sizeof *exit);
    exit->reason = EXIT_FATAL;
    if (vcpu_slot >= HV_MAX_VCPUS || !hv->cpus[vcpu_slot])
        return EXIT_FATAL;
    struct vcpu *v = &hv->s->vcpus[vcpu_slot];
    struct cpu *cpu = hv->cpus[vcpu_slot];
    hv->began = hv->s->retired;
    /* Where a run was cut (a slice, a breakpoint, an instruction to be decoded) must not show. A guest that unmasks
     * events by a plain store gets them at the next exit that is its own, or when another event arrives. */
    if (!(v->undisturbed ? pv_go_on(hv, v) : pv_resume(hv, v))) {
        exit->reason = EXIT_SHUTDOWN;
        return EXIT_SHUTDOWN;
    }
    hv->current = v;
    int reason = cpu_run(cpu, stops_met(hv) ? 0 : budget, exit);    /* met by what has just been delivered */
    uint64_t retired = (uint64_t)cpu_retired(cpu);
    hv->current = NULL;
    hv->s->retired += retired;
    v->retired += retired;
    v->undisturbed = reason == EXIT_BUDGET || reason == EXIT_DECODE || reason == EXIT_BREAKPOINT;
    return reason;
}
