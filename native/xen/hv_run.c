/* hv_run.c - running a vcpu, the clock, and what the engine asks of the layer above it. */
#include "arch.h"
#include "../abi/sched.h"

uint64_t hv_now(struct hv *hv)
{
    return hv_retired(hv) + hv->s->idle_ns;
}

void hv_bind_ops(struct hv *hv)
{
    const struct engine_ops *first = NULL;
    for (uint32_t kind = 0; kind < HV_KINDS; kind++) {
        const struct arch *arch = hv_arch_of_kind(kind);
        if (!arch)
            continue;
        hv->ops[kind] = *arch->ops;
        hv->ops[kind].ctx = hv;
        first = first ? first : &hv->ops[kind];
    }
    machine_set_ops(hv->m, first);
}

int hv_bind_cpu(struct hv *hv, struct cpu *cpu, uint32_t kind)
{
    return hv_arch_of_kind(kind) ? cpu_set_ops(cpu, &hv->ops[kind]) : -EINVAL;
}

int hv_make_cpu(struct hv *hv, uint32_t slot, const struct arch *arch)
{
    struct cpu *cpu;
    int error = cpu_create(hv->m, arch->model, &cpu);
    if (!error && (error = hv_bind_cpu(hv, cpu, arch->kind)) != 0)
        cpu_destroy(cpu);
    if (error)
        return error;
    hv->cpus[slot] = cpu;
    hv->models[slot] = arch->model;
    return 0;
}

bool hv_crash(struct hv *hv, struct vcpu *v, const char *why)
{
    struct domain *d = hv_domain(hv, v);
    struct cpu_exit *e = cpu_exit_record(hv_cpu_of(hv, v));
    if (!d->shut_down) {
        d->shut_down = 1;
        d->shutdown_code = SHUTDOWN_crash;
        hv->crash_reason = why;
    }
    memset(e, 0, sizeof *e);
    e->reason = EXIT_SHUTDOWN;
    e->address = cpu_pc(hv_cpu_of(hv, v));
    return false;
}

/* A processor that gives up is its domain's end. */
static void shut_down_if_dead(struct hv *hv, const struct vcpu *v, int reason)
{
    struct domain *d = hv_domain(hv, v);
    const struct arch *arch = hv_arch(d);
    if (reason != EXIT_SHUTDOWN || !arch->gave_up || d->shut_down)
        return;
    d->shut_down = 1;
    d->shutdown_code = arch->gave_up(hv, d);
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
    if (!hv_arch_of(hv, v)->before_run(hv, v)) {
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
