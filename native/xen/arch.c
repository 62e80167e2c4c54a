/* arch.c - the table of a domain's kind, found. */
#include "arch.h"

/* An architecture whose folder is missing leaves its symbols at NULL. */
extern const struct arch ARCH_PV __attribute__((weak));
extern const struct arch ARCH_HVM __attribute__((weak));
extern const struct arch ARCH_ARM64 __attribute__((weak));
extern const struct arch ARCH_ARM32 __attribute__((weak));

const struct arch *hv_arch_of_type(uint32_t type)
{
    static const struct arch *const TYPES[] = {
        [DOMAIN_PV64] = &ARCH_PV, [DOMAIN_PV32] = &ARCH_PV, [DOMAIN_PVH] = &ARCH_HVM, [DOMAIN_HVM] = &ARCH_HVM,
        [DOMAIN_ARM64] = &ARCH_ARM64, [DOMAIN_ARM32] = &ARCH_ARM32,
    };
    return type < sizeof TYPES / sizeof *TYPES ? TYPES[type] : NULL;
}

const struct arch *hv_arch_of_kind(uint32_t kind)
{
    static const struct arch *const KINDS[HV_KINDS] = {
        [HV_KIND_PV] = &ARCH_PV, [HV_KIND_WHOLE] = &ARCH_HVM, [HV_KIND_ARM64] = &ARCH_ARM64, [HV_KIND_ARM32] = &ARCH_ARM32,
    };
    return kind < HV_KINDS ? KINDS[kind] : NULL;
}

uint64_t *hv_params(struct hv *hv, const struct domain *d) { return hv_arch(d)->params ? hv_arch(d)->params(hv, d) : NULL; }

void hv_set_irq(struct hv *hv, struct domain *d, uint32_t line, bool level)
{
    if (hv_arch(d)->set_line)
        hv_arch(d)->set_line(hv, d, line, level);
}

static void *element(const struct hv *hv, const struct arch_part *part, uint32_t slot)
{
    uint64_t offset;
    memcpy(&offset, (const uint8_t *)hv->s + part->at, sizeof offset);
    return (uint8_t *)hv->s + offset + slot * part->bytes;
}

void *hv_domain_part(const struct hv *hv, const struct domain *d) { return element(hv, &hv_arch(d)->domain, d->slot); }

void *hv_vcpu_part(const struct hv *hv, const struct vcpu *v)
{
    return element(hv, &hv_arch(&hv->s->domains[v->domain_slot])->vcpu, v->slot);
}
