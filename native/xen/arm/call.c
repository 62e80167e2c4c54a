/* call.c - HVC and SMC of ARM guests: hypercalls by HVC #0xEA1, the power interface by either with #0; others are undefined.
 *
 * The number is in x16 (r12), arguments in x0..x4 (r0..r4), the result in x0 (r0). Longs, pointers and handles have 64 bits for
 * 32-bit guests too. Facts: do_trap_hypercall() in xen/arch/arm/traps.c, xen/include/public/arch-arm.h of
 * Xen 4.17.
 */
#include "arm.h"
#include "../../abi/arch/arm.h"

enum { HVC_BYTES = 4, ARGS = 5, NUMBER_64 = 16, NUMBER_32 = 12, STANDARD_CALL = 0 };

static int number_register(const struct domain *d) { return arm_narrow(d) ? NUMBER_32 : NUMBER_64; }

void arm_set_result(struct hv *hv, const struct vcpu *v, int64_t result)
{
    arm_set_reg(hv_cpu_of(hv, v), 0, arm_narrow(hv_domain(hv, v)) ? (uint32_t)result : (uint64_t)result);
}

void arm_call_again(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count)
{
    const struct domain *d = hv_domain(hv, v);
    struct cpu *cpu = hv_cpu_of(hv, v);
    for (unsigned i = 0; i < count && i < ARGS; i++)
        arm_set_reg(cpu, (int)i, arm_narrow(d) ? (uint32_t)args[i] : args[i]);
    if (nr != HV_SAME_CALL)
        arm_set_reg(cpu, number_register(d), nr);
    cpu_set_pc(cpu, cpu_pc(cpu) - HVC_BYTES);
}

/* A debugger stops before the hypercall: as if the instruction had not been reached. */
static bool stop_before(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t sub)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t behind = cpu_pc(cpu);
    cpu_set_pc(cpu, behind - HVC_BYTES);
    cpu_unretire(cpu);
    if (stops_hypercall(hv, v, nr, sub)) {
        cpu_leave_at_breakpoint(cpu);
        return true;
    }
    cpu_retire(cpu);
    cpu_set_pc(cpu, behind);
    return false;
}

static bool hypercall(struct hv *hv, struct vcpu *v, struct cpu *cpu)
{
    uint64_t args[6] = {0}, nr = arm_reg(cpu, number_register(hv_domain(hv, v)));
    for (int i = 0; i < ARGS; i++)
        args[i] = arm_reg(cpu, i);
    if (hv_stops_on(hv, HV_STOP_HYPERCALL) && stop_before(hv, v, nr, args[0]))
        return false;
    arm_events_follow(hv, v);
    return hv_make_call(hv, v, nr, args, 0);
}

bool arm_hvc(void *ctx, struct cpu *cpu, uint32_t immediate)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    hv->began = hv_retired(hv) - 1;
    if (immediate == XEN_HYPERCALL_TAG)
        return hypercall(hv, v, cpu);
    return immediate == STANDARD_CALL ? arm_power(hv, v) : arm_undefined_call(cpu);
}

bool arm_smc(void *ctx, struct cpu *cpu, uint32_t immediate)
{
    struct hv *hv = ctx;
    hv->began = hv_retired(hv) - 1;
    return immediate == STANDARD_CALL ? arm_power(hv, hv->current) : arm_undefined_call(cpu);
}
