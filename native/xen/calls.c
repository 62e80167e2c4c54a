/* calls.c - hypercalls of every kind of guest: which are answered in C, and what becomes of their results.
 *
 * How a guest makes one, and where the arguments and the result are, its architecture knows (arch.h). Facts:
 * xen/common/sched/core.c, xen/common/kernel.c of Xen 4.17.
 */
#include "arch.h"
#include "../abi/xen.h"
#include "../abi/sched.h"
#include "../abi/version.h"

enum { XEN_MAJOR = 4, XEN_MINOR = 17 };

static int64_t do_xen_version(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    (void)hv;
    (void)v;
    return (uint32_t)args[0] == XENVER_version ? XEN_MAJOR << 16 | XEN_MINOR : HV_TO_PYTHON;
}

int64_t hv_leave(struct hv *hv, struct vcpu *v, enum exit_reason reason, int64_t result)
{
    struct cpu_exit *e = cpu_exit_record(hv_cpu_of(hv, v));
    memset(e, 0, sizeof *e);
    e->reason = reason;
    hv_set_result(hv, v, result);
    hv_log_result(hv, v, result);
    return HV_LEAVE;
}

/* Yield and block; the sub-operations with an argument are Python's. */
static int64_t do_sched_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint32_t command = (uint32_t)args[0];
    struct cpu_exit *e = cpu_exit_record(hv_cpu_of(hv, v));
    if (command != SCHEDOP_yield && command != SCHEDOP_block)
        return HV_TO_PYTHON;
    if (command == SCHEDOP_yield) {
        hv_yield(hv);
    } else {
        hv_block(hv, v);
        if (!v->blocked)
            return 0;
    }
    (void)hv_leave(hv, v, EXIT_IDLE, 0);
    e->nr = __HYPERVISOR_sched_op;
    e->args[0] = command;
    return HV_LEAVE;
}

/* Hypercalls by number. NULL: the architecture's own, or served by Python (hv/hypercalls), which also refuses the unknown. */
static hypercall_fn *const CALLS[NR_HYPERCALLS] = {
    [__HYPERVISOR_multicall] = do_multicall,
    [__HYPERVISOR_xen_version] = do_xen_version,
    [__HYPERVISOR_sched_op] = do_sched_op,
    [__HYPERVISOR_event_channel_op] = do_event_channel_op,
    [__HYPERVISOR_vcpu_op] = do_vcpu_op,
    [__HYPERVISOR_set_timer_op] = do_set_timer_op,
};

int64_t hv_hypercall(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t args[6])
{
    const struct arch *arch = hv_arch_of(hv, v);
    if (nr >= NR_HYPERCALLS || (arch->has && !arch->has[nr]))
        return hv_refuse(hv, RULE_unknown_hypercall, nr, 0, 0, 0);
    hv->hypercall_counts[v->domain_slot][nr]++;
    hypercall_fn *call = arch->calls && arch->calls[nr] ? arch->calls[nr] : CALLS[nr];
    return call ? call(hv, v, args) : HV_TO_PYTHON;
}

void hv_call_to_python(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t args[6], uint64_t aux)
{
    struct cpu_exit *e = cpu_exit_record(hv_cpu_of(hv, v));
    memset(e, 0, sizeof *e);
    e->reason = EXIT_HYPERCALL;
    e->nr = nr;
    memcpy(e->args, args, sizeof e->args);
    e->aux = aux;
    e->flags = hv_wide_call(hv, v) ? 0 : HV_CALL_32;
}

bool hv_make_call(struct hv *hv, struct vcpu *v, uint64_t nr, uint64_t args[6], unsigned ring)
{
    uint64_t record = hv_log_call(hv, v, TRAP_LOG_HYPERCALL, nr, args);
    hv->last.hypercall = nr;
    memcpy(hv->last.args, args, sizeof hv->last.args);
    int64_t result = ring ? hv_refuse(hv, RULE_hypercall_ring, nr, ring, 0, 0) : hv_hypercall(hv, v, nr, args);
    switch (result) {
    case HV_TO_PYTHON:
        hv_call_to_python(hv, v, nr, args, 0);
        return false;
    case HV_RETRY:
        hv_arch_of(hv, v)->call_again(hv, v, nr, args, 6);
        return true;
    case HV_DONE:
        return true;
    case HV_LEAVE:
        return false;
    default:
        hv_set_result(hv, v, result);
        hv_log_answer(hv, record, result);
        return true;
    }
}

bool hv_wide_call(struct hv *hv, const struct vcpu *v) { return hv_arch_of(hv, v)->wide(hv, v); }

void hv_set_result(struct hv *hv, const struct vcpu *v, int64_t result) { hv_arch_of(hv, v)->set_result(hv, v, result); }

void hv_answer(struct hv *hv, struct vcpu *v, int64_t result, bool in_multicall)
{
    hv_log_result(hv, v, result);
    hv_log_output(hv, v);
    if (in_multicall)
        hv_multicall_result(hv, v, result);
    else
        hv_set_result(hv, v, result);
}

void hv_answer_again(struct hv *hv, struct vcpu *v, const uint64_t args[6], bool in_multicall)
{
    if (in_multicall)
        hv_multicall_retry(hv, v, args);
    else
        hv_arch_of(hv, v)->call_again(hv, v, HV_SAME_CALL, args, 6);
}
