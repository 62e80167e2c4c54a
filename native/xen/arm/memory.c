/* memory.c - memory of an ARM guest: stage 2 of the translation, which is the p2m, and copies on the guest's behalf.
 *
 * Guest-physical addresses are RAM, the interrupt controller's, or a device's that Python has registered (P2M_DEVICE). At others
 * there is nothing: an external abort.
 */
#include "arm.h"
#include "../p2m.h"
#include "../../abi/arch/arm.h"

/* Ranges of the interrupt controller, by its version. */
static const struct { uint32_t version; uint64_t base, size; } CONTROLLER[] = {
    {2, GUEST_GICD_BASE, GUEST_GICD_SIZE},
    {2, GUEST_GICC_BASE, GUEST_GICC_SIZE},
    {3, GUEST_GICV3_GICD_BASE, GUEST_GICV3_GICD_SIZE},
    {3, GUEST_GICV3_GICR0_BASE, GUEST_GICV3_GICR0_SIZE},
};

static bool is_controller(const struct arm_domain *a, uint64_t ipa)
{
    for (unsigned i = 0; i < sizeof CONTROLLER / sizeof *CONTROLLER; i++)
        if (a->gic.version == CONTROLLER[i].version && ipa - CONTROLLER[i].base < CONTROLLER[i].size)
            return true;
    return false;
}

/* Whose processor it is: the running one's, but for copies on the guest's behalf, which may be when none runs. */
static const struct vcpu *vcpu_of(struct hv *hv, const struct cpu *cpu)
{
    if (hv->current && hv_cpu_of(hv, hv->current) == cpu)
        return hv->current;
    for (uint32_t slot = 0; slot < HV_MAX_VCPUS; slot++)
        if (hv->cpus[slot] == cpu)
            return &hv->s->vcpus[slot];
    return NULL;
}

bool arm_stage2(void *ctx, struct cpu *cpu, uint64_t ipa, enum access access, struct mapping *map)
{
    struct hv *hv = ctx;
    const struct vcpu *v = vcpu_of(hv, cpu);
    if (!v)
        return false;
    const struct arm_domain *a = arm_of(hv, hv_domain(hv, v));
    uint64_t gfn = ipa >> ENGINE_PAGE_SHIFT, entry = p2m_get(hv, &a->p2m, gfn);
    (void)access;
    if (entry & P2M_RAM) {
        uint32_t prot = MAP_READ | MAP_EXEC | (entry & P2M_WRITABLE ? MAP_WRITE : 0u);
        *map = (struct mapping){.frame = entry >> P2M_FRAME_SHIFT, .prot = prot};
        return true;
    }
    if (!(entry & P2M_DEVICE) && !is_controller(a, ipa))
        return false;
    *map = (struct mapping){.frame = gfn, .prot = MAP_READ | MAP_WRITE | MAP_DEVICE};
    return true;
}

static uint8_t *ram_at(struct hv *hv, const struct vcpu *v, uint64_t va, enum access access)
{
    uint64_t ipa;
    uint32_t prot;
    return arm_translate(hv_cpu_of(hv, v), va, access, false, &ipa, &prot)
               ? hv_ram(hv, hv_domain(hv, v), ipa, access == ACCESS_WRITE) : NULL;
}

uint8_t *arm_memory(struct hv *hv, struct vcpu *v, uint64_t va, enum access access) { return ram_at(hv, v, va, access); }

const uint8_t *arm_peek(struct hv *hv, const struct vcpu *v, uint64_t va)
{
    return ram_at(hv, v, va & ~UINT64_C(0xfff), ACCESS_READ);
}
