/* hv_run.c - running a vcpu, the clock, and what the engine asks of the layer above it. */
#include "x86/pv.h"
#include "x86/decode.h"
#include "x86/hvm/shadow.h"
#include "../abi/hvm.h"

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
static enum io_answer op_io(void *ctx, struct cpu *cpu, struct io_access *access)
{
    (void)ctx;
    (void)cpu;
    (void)access;
    return IO_FAULT;
}

void hv_bind_ops(struct hv *hv)
{
    const struct engine_ops ops = {
        .ctx = hv, .exception = op_exception, .syscall = op_syscall, .sysenter = op_sysenter, .translate = mm_translate,
        .cpuid = op_cpuid, .tsc = op_tsc, .io = op_io,
        .breakpoint = stops_breakpoint, .watched = stops_watched, .table_changed = shadow_table_changed,
    };
    machine_set_ops(hv->m, &ops);
    hv->hvm_ops = HVM_OPS;
    hv->hvm_ops.ctx = hv;
    hv->pv_ops = ops;
}

int hv_bind_cpu(struct hv *hv, uint32_t slot, bool whole)
{
    return cpu_set_ops(hv->cpus[slot], whole ? &hv->hvm_ops : &hv->pv_ops);
}

/* A whole processor that gives up (a triple fault) is its domain's end, in the way that the toolstack has chosen. */
static void shut_down_if_dead(struct hv *hv, const struct vcpu *v, int reason)
{
    struct domain *d = hv_domain(hv, v);
    if (reason != EXIT_SHUTDOWN || !is_hvm(d) || d->shut_down)
        return;
    d->shut_down = 1;
    d->shutdown_code = (uint8_t)hvm_of(hv, d)->params[HVM_PARAM_TRIPLE_FAULT_REASON];
    hv->crash_reason = "triple fault";
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
    bool whole = is_hvm(hv_domain(hv, v));
    if (whole) {
        hvm_resume(hv, v);
    } else if (!(v->undisturbed ? pv_go_on(hv, v) : pv_resume(hv, v))) {
        exit->reason = EXIT_SHUTDOWN;
        return EXIT_SHUTDOWN;
    }
    hv->current = v;
    int reason = cpu_run(cpu, stops_met(hv) ? 0 : budget, exit);    /* met by what has just been delivered */
    uint64_t retired = (uint64_t)cpu_retired(cpu);
    hv->current = NULL;
    hv->s->retired += retired;
    v->retired += retired;
    shut_down_if_dead(hv, v, reason);
    v->undisturbed = reason == EXIT_BUDGET || reason == EXIT_DECODE || reason == EXIT_BREAKPOINT;
    return reason;
}
