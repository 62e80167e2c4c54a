/* psci.c - which function a caller of hvc or smc #0 means, whether it may have it, and what it gets. A table has the functions;
 * what is not in it is answered as the calling convention says: not supported. Results as Xen 4.17 gives them.
 */
#include <stddef.h>
#include "psci.h"
#include "vgic.h"
#include "abi/arch/arm.h"

enum { XEN_FUNCTIONS = 3, PSCI_FUNCTIONS = 12, OWN_FUNCTIONS = 3 };      /* a service's count, identity and revision are its own */
enum { REVISION_MAJOR = 0, REVISION_MINOR = 1, AFFINITY_LEVELS = 4, AFFINITY_LEVELS_32 = 3 };
#define AFFINITY_FIELDS UINT64_C(0xff00ffffff)

struct call {
    const struct psci_effects *effects;
    void *ctx;
    bool narrow;
    uint64_t *x;
};

static int64_t version(struct call *c) { return PSCI_VERSION_1_1; }
static int64_t migrate_info(struct call *c) { return PSCI_MIGRATE_NOT_NEEDED; }
static int64_t cpu_off(struct call *c)
{
    c->effects->cpu_off(c->ctx);
    return PSCI_SUCCESS;
}
/* To power down is to stand by: nothing of the processor is lost, and it goes on behind the call. */
static int64_t cpu_suspend(struct call *c)
{
    c->effects->suspend(c->ctx);
    return PSCI_SUCCESS;
}
static int64_t system_off(struct call *c)
{
    c->effects->system_off(c->ctx);
    return PSCI_INTERNAL_FAILURE;                                       /* if it ever came back */
}
static int64_t system_reset(struct call *c)
{
    c->effects->system_reset(c->ctx);
    return PSCI_INTERNAL_FAILURE;
}

static int64_t start(struct call *c, uint64_t target, uint64_t entry, uint64_t context)
{
    unsigned vcpu = arm_affinity_vcpu(target);
    if (vcpu >= c->effects->vcpus)
        return PSCI_INVALID_PARAMETERS;
    if (!c->narrow && entry & 1)
        return PSCI_INVALID_ADDRESS;
    if (c->effects->is_on(c->ctx, vcpu))
        return PSCI_ALREADY_ON;
    return c->effects->cpu_on(c->ctx, vcpu, entry, context) ? PSCI_SUCCESS : PSCI_DENIED;
}
static int64_t cpu_on(struct call *c) { return start(c, c->x[1], c->x[2], c->x[3]); }
/* Version 0.1 does not know the newer errors, nor a context. */
static int64_t cpu_on_0_1(struct call *c)
{
    int64_t result = start(c, (uint32_t)c->x[1], c->x[2], 0);
    return result == PSCI_ALREADY_ON || result == PSCI_INVALID_ADDRESS ? PSCI_INVALID_PARAMETERS : result;
}

static int64_t affinity_info(struct call *c)
{
    uint32_t level = (uint32_t)c->x[2];
    if (level >= (c->narrow ? AFFINITY_LEVELS_32 : AFFINITY_LEVELS))
        return PSCI_INVALID_PARAMETERS;
    uint64_t below = level == 3 ? UINT64_C(0xffffffff) : (UINT64_C(1) << level * 8) - 1, mask = AFFINITY_FIELDS & ~below;
    for (unsigned vcpu = 0; vcpu < c->effects->vcpus; vcpu++)
        if ((arm_affinity(vcpu) & mask) == (c->x[1] & mask) && c->effects->is_on(c->ctx, vcpu))
            return PSCI_AFFINITY_ON;
    return PSCI_AFFINITY_OFF;
}

static int64_t features(struct call *c);
static int64_t smccc_version(struct call *c) { return SMCCC_VERSION_1_1; }
static int64_t arch_features(struct call *c) { return SMCCC_NOT_SUPPORTED; }     /* no workaround is needed, none is offered */
static int64_t workaround(struct call *c) { return (int64_t)c->x[0]; }           /* nothing to do, no result */

static int64_t standard_count(struct call *c) { return OWN_FUNCTIONS + PSCI_FUNCTIONS; }
static int64_t xen_count(struct call *c) { return XEN_FUNCTIONS; }
static int64_t revision(struct call *c)
{
    c->x[1] = REVISION_MINOR;
    return REVISION_MAJOR;
}
static int64_t standard_uid(struct call *c)
{
    c->x[1] = SMCCC_STANDARD_UID_1, c->x[2] = SMCCC_STANDARD_UID_2, c->x[3] = SMCCC_STANDARD_UID_3;
    return SMCCC_STANDARD_UID_0;
}
static int64_t xen_uid(struct call *c)
{
    c->x[1] = SMCCC_XEN_UID_1, c->x[2] = SMCCC_XEN_UID_2, c->x[3] = SMCCC_XEN_UID_3;
    return SMCCC_XEN_UID_0;
}

static const struct function {
    uint32_t number;
    bool feature;                                                       /* PSCI_FEATURES tells of it */
    int64_t (*answer)(struct call *c);
} functions[] = {
    {PSCI_FN_VERSION, true, version},
    {PSCI_FN_CPU_SUSPEND, true, cpu_suspend},
    {PSCI_FN_CPU_SUSPEND | PSCI_FN64, true, cpu_suspend},
    {PSCI_FN_CPU_OFF, true, cpu_off},
    {PSCI_FN_CPU_ON, true, cpu_on},
    {PSCI_FN_CPU_ON | PSCI_FN64, true, cpu_on},
    {PSCI_FN_AFFINITY_INFO, true, affinity_info},
    {PSCI_FN_AFFINITY_INFO | PSCI_FN64, true, affinity_info},
    {PSCI_FN_MIGRATE_INFO_TYPE, true, migrate_info},
    {PSCI_FN_SYSTEM_OFF, true, system_off},
    {PSCI_FN_SYSTEM_RESET, true, system_reset},
    {PSCI_FN_FEATURES, true, features},
    {SMCCC_VERSION, true, smccc_version},
    {SMCCC_ARCH_FEATURES, false, arch_features},
    {SMCCC_ARCH_WORKAROUND_1, false, workaround},
    {SMCCC_ARCH_WORKAROUND_2, false, workaround},
    {SMCCC_ARCH_WORKAROUND_3, false, workaround},
    {SMCCC_STANDARD_COUNT, false, standard_count},
    {SMCCC_STANDARD_UID, false, standard_uid},
    {SMCCC_STANDARD_REVISION, false, revision},
    {SMCCC_XEN_COUNT, false, xen_count},
    {SMCCC_XEN_UID, false, xen_uid},
    {SMCCC_XEN_REVISION, false, revision},
    {PSCI_cpu_off, false, cpu_off},
    {PSCI_cpu_on, false, cpu_on_0_1},
};

static const struct function *find(uint32_t number, bool narrow)
{
    for (const struct function *f = functions; f < functions + sizeof functions / sizeof *functions; f++)
        if (f->number == number && !(narrow && number & PSCI_FN64))
            return f;
    return NULL;
}

static int64_t features(struct call *c)
{
    const struct function *f = find((uint32_t)c->x[1], false);
    return f && f->feature ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

void psci_call(const struct psci_effects *effects, void *ctx, bool narrow, uint64_t x[4])
{
    struct call c = {effects, ctx, narrow, x};
    for (int i = 0; narrow && i < 4; i++)
        x[i] = (uint32_t)x[i];
    const struct function *f = find((uint32_t)x[0], narrow);
    int64_t result = f ? f->answer(&c) : SMCCC_NOT_SUPPORTED;
    x[0] = narrow ? (uint32_t)result : (uint64_t)result;
}
