/* validate.c - may this be an ARM domain's state? Asked of state that comes from a file. */
#include "arm.h"
#include "../validate.h"

enum { NARROW = 1 << 4, MODE_MASK = 0x1f };

/* User mode, or one of EL1: of the domain's width, but that a 64-bit kernel may have 32-bit programs. */
static bool mode_ok(bool narrow, uint64_t pstate)
{
    enum { EL0 = 0, EL1T = 4, EL1H = 5, USR = 0x10 };
    const uint32_t modes32 = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 7 | 1u << 0xb | 1u << 0xf;
    uint32_t mode = pstate & MODE_MASK;
    if (narrow)
        return mode & NARROW && modes32 >> (mode & 0xf) & 1;
    return mode == EL0 || mode == EL1T || mode == EL1H || mode == USR;
}

const char *arm_bad_register(const struct hv *hv, struct cpu *scratch, const struct hv_saved_cpu *saved)
{
    const struct arm_state *s = &saved->arm;
    struct arm_state again;
    (void)hv;
    if (!mode_ok(saved->kind == HV_KIND_ARM32, s->pstate))
        return "pstate";
    if (s->halted > 1 || s->lines > (VGIC_IRQ | VGIC_FIQ))
        return "an input";
    arm_set_state(scratch, s);
    arm_get_state(scratch, &again);
    return memcmp(s, &again, sizeof again) != 0 ? "a register that follows from others" : NULL;
}

static const struct limit vcpu_limits[] = {
    LIMIT(struct arm_vcpu, io.answered, IO_QUEUE), LIMIT(struct arm_vcpu, io.met, IO_QUEUE),
    LIMIT(struct arm_vcpu, io.at, FAR_FUTURE),
};

bool arm_vcpu_ok(struct validation *c, struct vcpu *v)
{
    const struct arm_vcpu *a = arm_vcpu_of(c->hv, v);
    return validate_within(c, a, vcpu_limits, COUNT(vcpu_limits), "vcpu slot", v->slot) &&
           ((a->io.met <= a->io.answered && vtimer_ok(a->timer)) ||
            validate_fail(c, "vcpu slot %u: its timers, or accesses under way", v->slot));
}

bool arm_domain_ok(struct validation *c, const struct domain *d)
{
    struct vgic g = arm_vgic(c->hv, d);
    const char *bad = vgic_bad(&g);
    return !bad || validate_fail(c, "domain %u: %s of its interrupt controller", d->domid, bad);
}
