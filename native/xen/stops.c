/* stops.c - which of the things that happen a debugger wants to stop at.
 *
 * Nothing here changes what a guest sees or how instructions are counted. A run that stops leaves either exactly at a
 * count, before anything else has happened there, or says that it is late (hv_stop_hit.late, HV_STOP_TRAP and
 * HV_STOP_EVENT): the caller then goes to `when` by repeating the run. With `before` nothing stops: that is how a
 * run backwards finds its end.
 */
#include "arch.h"

static bool meets(uint64_t wanted, uint64_t value) { return wanted == HV_STOP_ANY_VALUE || wanted == value; }

/* Does it not count here? An instruction is known by the vcpu and its rip, a trap by the vcpu, an event by its count alone. */
static bool passed(const struct hv *hv, const struct hv_stop *stop, const struct vcpu *v, uint64_t when, uint64_t rip)
{
    for (uint32_t i = 0; i < hv->stops.passed_count; i++) {
        const struct hv_stop_passed *p = &hv->stops.passed[i];
        if (p->when == when && (p->id == HV_STOP_ANY || p->id == stop->id) &&
            (stop->kind == HV_STOP_EVENT || (p->slot == v->slot && (stop->kind == HV_STOP_TRAP || p->rip == rip))))
            return true;
    }
    return false;
}

/* `sub`: of a hypercall, its first argument, whose bits outside of `mask` a continuation may use. */
static const struct hv_stop *find(const struct hv *hv, const struct vcpu *v, uint32_t kind, uint64_t value,
                                  uint64_t sub, uint64_t when)
{
    for (uint32_t i = 0; i < hv->stops.count; i++) {
        const struct hv_stop *s = &hv->stops.point[i];
        if (s->kind == kind && meets(s->value, value) && meets(s->sub, sub & s->mask) &&
            (s->domid == HV_STOP_ANY || s->domid == v->domid) && (s->vcpu == HV_STOP_ANY || s->vcpu == v->id) &&
            !passed(hv, s, v, when, cpu_pc(hv->cpus[v->slot])))
            return s;
    }
    return NULL;
}

/* Remember it; whether to stop. */
static bool met(struct hv *hv, const struct vcpu *v, const struct hv_stop *stop, uint64_t when, uint64_t rip, bool late)
{
    struct hv_stops *s = &hv->stops;
    const struct arch *arch = hv_arch_of(hv, v);
    if (s->before && when >= s->before)
        return false;
    s->met = true;
    s->hit = (struct hv_stop_hit){.when = when, .rip = rip, .kind = stop->kind, .id = stop->id, .domid = v->domid,
                                  .vcpu = v->id, .slot = v->slot, .late = late,
                                  .address = rip + (arch->code_base ? arch->code_base(hv->cpus[v->slot]) : 0)};
    return !s->before;
}

bool stops_breakpoint(void *ctx, struct cpu *cpu, uint64_t pc)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    uint64_t when = hv_retired(hv), rip = cpu_pc(cpu);
    const struct hv_stop *stop = find(hv, v, HV_STOP_INSTRUCTION, pc, 0, when);
    return stop && met(hv, v, stop, when, rip, !cpu_undisturbed(cpu));
}

static bool met_access(struct hv *hv, const struct vcpu *v, const struct hv_stop *stop, uint64_t when, bool late,
                       const struct touch *touch)
{
    if (!met(hv, v, stop, when, touch->pc, late) && !(hv->stops.before && when < hv->stops.before))
        return false;
    hv->stops.hit.address = touch->va;
    hv->stops.hit.kinds = (uint8_t)touch->kinds;
    return !hv->stops.before;
}

/* The stop point that an access to a watchpoint's bytes belongs to, if it is one of this vcpu's. */
static const struct hv_stop *watching(const struct hv *hv, const struct vcpu *v, uint32_t id)
{
    for (uint32_t i = 0; i < hv->stops.count; i++) {
        const struct hv_stop *s = &hv->stops.point[i];
        if (s->kind == HV_STOP_ACCESS && s->id == id && (s->domid == HV_STOP_ANY || s->domid == v->domid) &&
            (s->vcpu == HV_STOP_ANY || s->vcpu == v->id))
            return s;
    }
    return NULL;
}

/* The instruction has retired: it began one before. */
bool stops_watched(void *ctx, struct cpu *cpu, const struct touch *touches, uint32_t count)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    (void)cpu;
    for (uint32_t i = 0; i < count; i++) {
        const struct hv_stop *stop = watching(hv, v, touches[i].id);
        if (stop)
            return met_access(hv, v, stop, hv_retired(hv) - 1, false, &touches[i]);
    }
    return false;
}

/* Leave as soon as the hypervisor is done with what it does: the count is the next instruction's. */
static void leave_soon(struct hv *hv)
{
    struct cpu *cpu = hv->current ? hv_cpu_of(hv, hv->current) : NULL;
    if (cpu)
        cpu_set_budget(cpu, cpu_retired(cpu));
}

void stops_copied(struct hv *hv, const struct vcpu *v, uint64_t va, uint64_t len)
{
    for (uint32_t i = 0; i < hv->stops.count; i++) {
        const struct hv_stop *s = &hv->stops.point[i];
        if (s->kind != HV_STOP_ACCESS || !(s->kinds & WATCH_WRITE) || (s->domid != HV_STOP_ANY && s->domid != v->domid) ||
            va > s->value + (s->bytes - 1) || s->value > va + (len - 1))
            continue;
        const struct touch touch = {.pc = cpu_pc(hv_cpu_of(hv, v)), .va = va, .kinds = WATCH_WRITE};
        /* By a hypercall, which is counted by now; or by a delivery, behind which one stands after the next instruction. */
        if (met_access(hv, v, s, hv->began, true, &touch))
            leave_soon(hv);
        return;
    }
}

bool stops_hypercall(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t sub)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t when = hv_retired(hv);
    const struct hv_stop *stop = find(hv, v, HV_STOP_HYPERCALL, nr, sub, when);
    return stop && met(hv, v, stop, when, cpu_pc(cpu), !cpu_undisturbed(cpu));
}

bool stops_trap(struct hv *hv, struct vcpu *v, const struct trap *trap)
{
    uint64_t when = hv->began, rip = cpu_pc(hv_cpu_of(hv, v));
    const struct hv_stop *stop = find(hv, v, HV_STOP_TRAP, trap->vector, 0, when);
    return stop && met(hv, v, stop, when, rip, true);
}

void stops_event(struct hv *hv, const struct domain *d, uint32_t port)
{
    struct hv_stops *s = &hv->stops;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct hv_stop *stop = &s->point[i];
        if (stop->kind != HV_STOP_EVENT || !meets(stop->value, port) || (stop->domid != HV_STOP_ANY && stop->domid != d->domid))
            continue;
        uint64_t when = hv_retired(hv);
        const struct vcpu *v = hv->current ? hv->current : hv_vcpu(hv, d, 0);
        if (v == NULL)
            return;
        if (passed(hv, stop, v, when, 0))
            continue;
        if (met(hv, v, stop, when, cpu_pc(hv_cpu_of(hv, v)), true))
            leave_soon(hv);
        if (!s->before || when < s->before)
            s->hit.address = port;
        return;
    }
}

/* ---- setting them ---- */

static int set_addresses(struct hv *hv)
{
    uint64_t addresses[HV_STOPS_MAX];
    struct watchpoint watch[ENGINE_WATCHPOINTS] = {{0}};
    uint32_t instructions = 0, accesses = 0;
    for (uint32_t i = 0; i < hv->stops.count; i++) {
        const struct hv_stop *s = &hv->stops.point[i];
        if (s->kind == HV_STOP_INSTRUCTION)
            addresses[instructions++] = s->value;
        if (s->kind != HV_STOP_ACCESS)
            continue;
        if (accesses == ENGINE_WATCHPOINTS || s->bytes == 0)
            return -EINVAL;
        watch[accesses++] = (struct watchpoint){.va = s->value, .bytes = s->bytes, .kinds = s->kinds, .id = s->id};
    }
    int error = machine_set_breakpoints(hv->m, addresses, instructions);
    return error ? error : machine_set_watchpoints(hv->m, watch, accesses);
}

/* On the way to the end of a run backwards, everything counts. */
static void pass_here(struct hv *hv)
{
    struct hv_stops *s = &hv->stops;
    uint32_t slot = hv->s->running;
    struct hv_stop_passed here = {.when = hv->s->retired, .slot = slot, .id = HV_STOP_ANY};
    if (slot < HV_MAX_VCPUS && hv->cpus[slot])
        here.rip = cpu_pc(hv->cpus[slot]);
    s->passed[0] = here;
    s->passed_count = s->before ? 0 : 1;
}

int hv_set_stops(struct hv *hv, const struct hv_stop *stops, uint32_t count, uint64_t before)
{
    struct hv_stops *s = &hv->stops;
    if (count > HV_STOPS_MAX)
        return -EINVAL;
    memset(s, 0, sizeof *s);
    memcpy(s->point, stops, count * sizeof *stops);
    s->count = count;
    s->before = before;
    for (uint32_t i = 0; i < count; i++)
        s->kinds |= 1u << (stops[i].kind & 31);
    int error = set_addresses(hv);
    if (error)
        memset(s, 0, sizeof *s);
    pass_here(hv);
    return error;
}

int hv_stops_pass(struct hv *hv, const struct hv_stop_passed *list, uint32_t count)
{
    if (count > HV_STOPS_MAX)
        return -EINVAL;
    memcpy(hv->stops.passed, list, count * sizeof *list);
    hv->stops.passed_count = count;
    return 0;
}

bool hv_stop_hit(struct hv *hv, struct hv_stop_hit *out)
{
    *out = hv->stops.hit;
    return hv->stops.met;
}
