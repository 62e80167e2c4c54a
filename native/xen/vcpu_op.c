/* vcpu_op.c - the sub-operations of vcpu_op that a kernel calls all the time, and set_timer_op: timers, and VCPUOP_is_up,
 * which Linux asks of every vcpu that could be. hv/hypercalls/vcpu_op.py means the same (a test compares them), and
 * serves the rest.
 *
 * A new deadline may be earlier than the end of the present run, so the vcpu leaves it: the run loop looks at all the
 * deadlines again. Facts: xen/common/domain.c, do_set_timer_op() of xen/common/sched/core.c of Xen 4.17.
 */
#include <stddef.h>
#include "hv.h"
#include "../abi/vcpu.h"

#define FAR_AWAY (1ull << 50)                /* ns: an old Linux means "no timer" by it */
#define FAR_AWAY_INSTEAD 100000000ull

static int64_t armed(struct hv *hv, struct vcpu *v) { return hv_leave(hv, v, EXIT_KICK, 0); }

int64_t do_set_timer_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint64_t timeout = hv_wide_call(hv, v) ? args[0] : (uint32_t)args[0] | args[1] << 32, now = hv_now(hv);

    if (timeout == 0) {
        v->singleshot_deadline = 0;
        return 0;
    }
    if ((int64_t)timeout < 0 || (timeout > now && timeout - now >= FAR_AWAY))
        timeout = now + FAR_AWAY_INSTEAD;
    v->singleshot_deadline = timeout;
    return armed(hv, v);
}

static int64_t set_singleshot(struct hv *hv, struct vcpu *caller, struct vcpu *v, uint64_t va)
{
    struct vcpu_set_singleshot_timer arg;
    uint64_t now = hv_now(hv);
    uint64_t length = hv_wide_call(hv, caller) ? sizeof(arg) : offsetof(struct vcpu_set_singleshot_timer, flags) + sizeof(arg.flags);

    if (v != caller)
        return hv_refuse(hv, RULE_vcpu_not_self, v->id, caller->id, 0, 0);
    if (hv_copy_from_guest(hv, caller, &arg, va, length) != 0)
        return hv_refuse(hv, RULE_bad_guest_pointer, va, length, 0, 0);
    if ((arg.flags & VCPU_SSHOTTMR_future) && (int64_t)arg.timeout_abs_ns < (int64_t)now)
        return hv_refuse(hv, RULE_timer_in_past, arg.timeout_abs_ns, now, 0, 0);
    v->singleshot_deadline = (int64_t)arg.timeout_abs_ns < 1 ? 1 : arg.timeout_abs_ns;
    return armed(hv, v);
}

int64_t do_vcpu_op(struct hv *hv, struct vcpu *caller, uint64_t args[6])
{
    struct vcpu *v = hv_vcpu(hv, hv_domain(hv, caller), (uint32_t)args[1]);

    if (v == NULL)
        return hv_refuse(hv, RULE_no_such_vcpu, (uint32_t)args[1], 0, 0, 0);
    switch ((uint32_t)args[0]) {
    case VCPUOP_is_up:
        return v->online != 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(hv, caller, v, args[2]);
    default:
        return HV_TO_PYTHON;
    }
}
