/* irq.c - interrupts of ARM domains: events and timers into the interrupt controller, from there to the processors.
 *
 * A processor's inputs are levels, and follow the controller's state at once (arm_vgic_done()). The controller's inputs are levels
 * too: a timer's follows from its registers and the time, the event interrupt's from vcpu_info.
 */
#include "arm.h"
#include "../io.h"
#include "../../abi/arch/arm.h"

enum { PSR_FIQ_MASK = 1 << 6, PSR_IRQ_MASK = 1 << 7 };

struct vgic arm_vgic(struct hv *hv, const struct domain *d)
{
    return (struct vgic){.dist = &arm_of(hv, d)->gic, .all = arm_vcpus(hv), .slot = d->vcpu_slot, .vcpus = d->vcpu_count};
}

void arm_show_lines(struct hv *hv, struct vcpu *v)
{
    unsigned lines = io_under_way(hv, v) ? 0 : arm_vcpu_of(hv, v)->gic.lines_out;
    cpu_set_lines(hv_cpu_of(hv, v), lines & VGIC_IRQ, lines & VGIC_FIQ);
}

void arm_vgic_done(struct hv *hv, const struct domain *d, struct vgic *g)
{
    for (uint32_t id = 0; g->changed >> id; id++) {
        struct vcpu *v = g->changed >> id & 1 ? hv_vcpu(hv, d, id) : NULL;
        if (!v)
            continue;
        arm_show_lines(hv, v);
        if (arm_vcpu_of(hv, v)->gic.lines_out)
            hv_vcpu_kick(hv, v);
        if (id == HV_DOMAIN_VCPUS - 1)
            break;
    }
    g->changed = 0;
}

static void set_private_line(struct hv *hv, struct vcpu *v, unsigned intid, bool level)
{
    const struct domain *d = hv_domain(hv, v);
    struct vgic g = arm_vgic(hv, d);
    vgic_set_line(&g, v->id, intid, level);
    arm_vgic_done(hv, d, &g);
}

void arm_events_follow(struct hv *hv, struct vcpu *v)
{
    bool level = hv_upcall_pending(hv, v);
    if ((arm_vcpu_of(hv, v)->gic.own.lines >> GUEST_EVTCHN_PPI & 1) != level)
        set_private_line(hv, v, GUEST_EVTCHN_PPI, level);
}

void arm_events_pending(struct hv *hv, struct vcpu *v) { set_private_line(hv, v, GUEST_EVTCHN_PPI, true); }

bool arm_interrupt_waits(struct hv *hv, const struct vcpu *v) { return arm_vcpu_of(hv, v)->gic.lines_out != 0; }

bool arm_can_wake(struct hv *hv, const struct vcpu *v)
{
    uint64_t pstate = arm_pstate(hv_cpu_of(hv, v));
    unsigned masked = (pstate & PSR_IRQ_MASK ? VGIC_IRQ : 0) | (pstate & PSR_FIQ_MASK ? VGIC_FIQ : 0);
    return arm_vcpu_of(hv, v)->gic.lines_out & ~masked;
}

void arm_enable_events(struct hv *hv, struct vcpu *v) { arm_unmask_irq(hv_cpu_of(hv, v)); }

uint64_t arm_deadline(struct hv *hv, const struct vcpu *v)
{
    return vtimer_deadline(arm_vcpu_of(hv, v)->timer, arm_of(hv, hv_domain(hv, v))->cntvoff, hv_now(hv));
}

void arm_expire(struct hv *hv, struct vcpu *v, uint64_t now)
{
    static const struct { enum vtimer_which which; unsigned intid; } TIMERS[] = {
        {VTIMER_VIRTUAL, GUEST_TIMER_VIRT_PPI}, {VTIMER_PHYSICAL, GUEST_TIMER_PHYS_NS_PPI},
    };
    const struct arm_vcpu *a = arm_vcpu_of(hv, v);
    uint64_t behind = arm_of(hv, hv_domain(hv, v))->cntvoff;
    for (unsigned i = 0; i < VTIMERS; i++) {
        bool level = vtimer_output(a->timer, TIMERS[i].which, behind, now);
        if ((a->gic.own.lines >> TIMERS[i].intid & 1) != level)
            set_private_line(hv, v, TIMERS[i].intid, level);
    }
}

void arm_timers_written(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t now = hv_now(hv), deadline;
    arm_expire(hv, v, now);
    deadline = arm_deadline(hv, v);
    if (deadline != 0)            /* at once: behind this instruction */
        cpu_shorten(cpu, cpu_retired(cpu) + (int64_t)(deadline > now ? deadline - now : 1));
}

/* ---- for Python ---- */

int hv_arm_reset(struct hv *hv, struct domain *d, uint32_t gic, uint32_t spis)
{
    if (d->type != DOMAIN_ARM64 && d->type != DOMAIN_ARM32)
        return -EINVAL;
    struct vgic g = arm_vgic(hv, d);
    if (!vgic_init(&g, gic, spis) || (gic == 2 && d->vcpu_count > VGIC_V2_VCPUS))
        return -EINVAL;
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++) {
        struct vcpu *v = hv_vcpu(hv, d, id);
        if (!v)
            continue;
        memset(arm_vcpu_of(hv, v), 0, sizeof *arm_vcpu_of(hv, v));
        vgic_init_vcpu(&g, id);
        arm_show_lines(hv, v);
    }
    return 0;
}

void hv_arm_set_spi(struct hv *hv, struct domain *d, uint32_t intid, bool level)
{
    struct vgic g = arm_vgic(hv, d);
    if (intid < VGIC_PRIVATE)
        return;
    vgic_set_line(&g, 0, intid, level);
    arm_vgic_done(hv, d, &g);
}

struct arm_domain *hv_arm_domain(struct hv *hv, const struct domain *d) { return arm_of(hv, d); }
struct arm_vcpu *hv_arm_vcpu(struct hv *hv, const struct vcpu *v) { return arm_vcpu_of(hv, v); }
