/* sysreg.c - system registers of ARM guests that are not the processor's own: timers, the interrupt controller's processor
 * interface, who the processor is. The performance monitor, which Xen keeps from guests, reads as zero and takes nothing.
 * Facts: do_sysreg() in xen/arch/arm/arm64/vsysreg.c, do_cp15_32() in xen/arch/arm/vcpreg.c of Xen 4.17; DDI 0487, D12.3.
 */
#include "arm.h"
#include "../io.h"

enum { CRN_ID = 0, CRN_PMU = 9, CRN_GIC = 12, CRN_TIMER = 14 };
#define MPIDR_RES1 (UINT64_C(1) << 31)
#define MIDR_CORTEX_A15 UINT64_C(0x412fc0f1)
static const uint32_t MIDR = ARM_SYSREG(3, 0, 0, 0, 0), MPIDR = ARM_SYSREG(3, 0, 0, 0, 5), PMR = ARM_SYSREG(3, 0, 4, 6, 0);
static const uint32_t IAR0 = ARM_SYSREG(3, 0, 12, 8, 0), IAR1 = ARM_SYSREG(3, 0, 12, 12, 0);

void arm_log_acknowledged(struct hv *hv, const struct vcpu *v, uint64_t intid)
{
    enum { SPECIAL = 1020 };
    if (intid < SPECIAL)
        hv_log_trap(hv, v, TRAP_LOG_EVENT, (uint32_t)intid)->address = intid;
}

static enum io_answer timer(struct hv *hv, struct vcpu *v, const struct arm_sysreg *reg, uint32_t number, bool write,
                            uint64_t *value)
{
    switch (vtimer_sysreg(arm_vcpu_of(hv, v)->timer, arm_of(hv, hv_domain(hv, v))->cntvoff, arm_cntkctl(hv_cpu_of(hv, v)), reg->el,
                          hv_now(hv), number, write, value)) {
    case VTIMER_DONE:
        if (write)
            arm_timers_written(hv, v);
        return IO_DONE;
    case VTIMER_TRAP:
        return IO_TRAP;
    case VTIMER_ELSEWHERE:
        return IO_ENGINE;
    default:
        return IO_FAULT;
    }
}

static enum io_answer controller(struct hv *hv, struct vcpu *v, uint32_t number, bool write, uint64_t *value)
{
    const struct domain *d = hv_domain(hv, v);
    struct vgic g = arm_vgic(hv, d);
    arm_events_follow(hv, v);
    enum vgic_answer answer = vgic_sysreg(&g, v->id, number, write, value);
    arm_vgic_done(hv, d, &g);
    if (answer == VGIC_DONE && !write && (number == IAR0 || number == IAR1))
        arm_log_acknowledged(hv, v, *value);
    return answer == VGIC_DONE ? IO_DONE : answer == VGIC_ABORT ? IO_FAULT : IO_ENGINE;
}

/* Is it one of the performance monitor's that Xen answers? Those of single counters are not; AArch32 has them all with op1 0. */
static bool is_monitor(const struct arm_sysreg *reg, bool narrow)
{
    const bool kernels = reg->crm == 14 && (reg->op2 == 1 || reg->op2 == 2);      /* PMINTENSET_EL1, PMINTENCLR_EL1 */
    if (reg->op0 != 3 || reg->crn != CRN_PMU || reg->op1 != (narrow || kernels ? 0 : 3))
        return false;
    return reg->crm == 12 || (reg->crm == 13 && reg->op2 <= 2) || (reg->crm == 14 && reg->op2 <= 3);
}

/* It counts nothing. User mode may read that it may not use it (PMUSERENR_EL0), and no more. */
static enum io_answer monitor(const struct arm_sysreg *reg, bool write, uint64_t *value)
{
    const bool userenr = reg->crm == 14 && reg->op2 == 0;
    if (!write)
        *value = 0;
    return reg->el == 0 && (write || !userenr) ? IO_FAULT : IO_DONE;
}

enum io_answer arm_sysreg(void *ctx, struct cpu *cpu, const struct arm_sysreg *reg, bool write, uint64_t *value, bool alone)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    const uint32_t number = ARM_SYSREG(reg->op0, reg->op1, reg->crn, reg->crm, reg->op2);
    const bool named = reg->op0 == 3, is_gic = named && (reg->crn == CRN_GIC || number == PMR);
    (void)cpu;
    if (is_monitor(reg, arm_narrow(hv_domain(hv, v))))
        return monitor(reg, write, value);
    if (arm_is_debug(reg))
        return arm_debug(reg, write, value);
    if (named && (number == MPIDR || number == MIDR) && !write && reg->el == 1) {
        if (number == MIDR && !arm_narrow(hv_domain(hv, v)))
            return IO_ENGINE;
        *value = number == MPIDR ? arm_affinity(v->id) | MPIDR_RES1 : MIDR_CORTEX_A15;
        return IO_DONE;
    }
    if ((is_gic || (named && reg->crn == CRN_TIMER && write)) && !alone)
        return io_alone(hv, v);
    if (is_gic)
        return controller(hv, v, number, write, value);
    return named && reg->crn == CRN_TIMER ? timer(hv, v, reg, number, write, value) : IO_ENGINE;
}
