/* call_table.c - which hypercalls ARM guests have. Facts: xen/include/hypercall-defs.c, do_vcpu_op() in
 * xen/arch/arm/domain.c of Xen 4.17.
 */
#include "arm.h"
#include "../../abi/xen.h"
#include "../../abi/vcpu.h"

/* Numbers that an ARM guest has. Others are ENOSYS. */
const uint8_t ARM_HAS[NR_HYPERCALLS] = {
    [__HYPERVISOR_memory_op] = 1, [__HYPERVISOR_xen_version] = 1, [__HYPERVISOR_console_io] = 1,
    [__HYPERVISOR_grant_table_op] = 1, [__HYPERVISOR_vm_assist] = 1, [__HYPERVISOR_vcpu_op] = 1,
    [__HYPERVISOR_sched_op] = 1, [__HYPERVISOR_event_channel_op] = 1, [__HYPERVISOR_physdev_op] = 1,
    [__HYPERVISOR_hvm_op] = 1, [__HYPERVISOR_multicall] = 1,
    /* refused, but not as unknown */
    [__HYPERVISOR_platform_op] = 1, [__HYPERVISOR_sysctl] = 1, [__HYPERVISOR_domctl] = 1, [__HYPERVISOR_xsm_op] = 1,
    [__HYPERVISOR_dm_op] = 1, [__HYPERVISOR_hypfs_op] = 1,
};

/* Of a vcpu's operations there are those that register its areas; the rest is PSCI's and the timers'. The vcpu is looked for
 * first. */
static int64_t vcpu_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint32_t command = (uint32_t)args[0];
    if (command == VCPUOP_register_vcpu_info || command == VCPUOP_register_runstate_memory_area)
        return HV_TO_PYTHON;
    if (!hv_vcpu(hv, hv_domain(hv, v), (uint32_t)args[1]))
        return hv_refuse(hv, RULE_no_such_vcpu, (uint32_t)args[1], 0, 0, 0);
    return hv_refuse(hv, RULE_invalid_subop, __HYPERVISOR_vcpu_op, command, 0, 0);
}

hypercall_fn *const ARM_CALLS[NR_HYPERCALLS] = {[__HYPERVISOR_vcpu_op] = vcpu_op};
