/* @title  Xen's interface on ARM
 * @fact   features are those of ARM; what only x86 has of memory_op and physdev_op is not there; no virtual interrupt of the
 *         architecture's belongs to a vcpu
 * @source xen/common/kernel.c (do_xen_version); xen/arch/arm/mm.c (arch_memory_op); xen/arch/arm/physdev.c;
 *         xen/common/event_channel.c (virq_is_global)
 * @env    arm64 arm32
 */
#include <guest.h>
#include <abi/event_channel.h>
#include <abi/features.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/version.h>

static void features(void)
{
    struct xen_feature_info info = { .submap_idx = 0 };

    check_eq(hcall(xen_version, XENVER_get_features, &info), 0);
    check_eq(info.submap, 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
                          1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_ARM_SMCCC_supported |
                          1u << XENFEAT_not_direct_mapped);
}

static void only_of_x86(void)
{
    static const unsigned memory[] = { XENMEM_machphys_mapping, XENMEM_machphys_mfn_list, XENMEM_memory_map,
                                       XENMEM_set_memory_map, XENMEM_machine_memory_map, XENMEM_get_pod_target };
    static uint64_t argument[64];

    for (unsigned i = 0; i < ARRAY_SIZE(memory); i++)
        check_eq(hcall(memory_op, memory[i], argument), -XEN_ENOSYS);
    check_eq(hcall(memory_op, XENMEM_get_sharing_freed_pages, 0), 0);
    for (unsigned command = 0; command < 40; command++)
        check_eq(hcall(physdev_op, command, argument), -XEN_ENOSYS);
    for (unsigned i = 0; i < ARRAY_SIZE(argument); i++)
        require(argument[i] == 0);
}

void test_main(void)
{
    features();
    only_of_x86();
    for (unsigned i = 0; i < 8; i++) {
        struct evtchn_bind_virq bind = { .virq = VIRQ_ARCH_0 + i, .vcpu = 1 };

        check_eq(hcall(event_channel_op, EVTCHNOP_bind_virq, &bind), -XEN_EINVAL);
        bind.vcpu = 0;
        check_eq(hcall(event_channel_op, EVTCHNOP_bind_virq, &bind), 0);
    }
}
