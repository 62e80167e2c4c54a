/* @title  the hypercalls of a translated domain
 * @fact   it has those that make sense without PV page tables and device interrupts, is refused the control domain's as
 *         such, and of some has a part; Xen says which kinds of guest it runs, and no address of its own
 * @source xen/include/hypercall-defs.c (table); hvm_memory_op(), hvm_grant_table_op(), hvm_physdev_op() in
 *         xen/arch/x86/hvm/hypercall.c; do_xen_version() in xen/common/kernel.c
 * @env    pvh64 hvm64 hvm32pae pvh32
 */
#include <guest.h>
#include <abi/control.h>
#include <abi/features.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/version.h>

static char argument[4096];

static void versions(void)
{
    static char text[XEN_CAPABILITIES_INFO_LEN];
    struct xen_platform_parameters platform = { .virt_start = 1 };
    struct xen_feature_info features = { 0 };

    check_eq(hcall(xen_version, XENVER_capabilities, text), 0);
    check(strstr(text, "hvm-3.0-x86_64 ") && strstr(text, "hvm-3.0-x86_32p ") && strstr(text, "hvm-3.0-x86_32 "));
    check_eq(hcall(xen_version, XENVER_platform_parameters, &platform), 0);
    check_eq(platform.virt_start, 0);
    check_eq(hcall(xen_version, XENVER_get_features, &features), 0);
    check(features.submap & 1u << XENFEAT_auto_translated_physmap);
    check(features.submap & 1u << XENFEAT_hvm_callback_vector);
    check(features.submap & 1u << XENFEAT_hvm_safe_pvclock);
    check(!(features.submap & 1u << XENFEAT_hvm_pirqs));
}

static void whole_calls(void)
{
    check_eq(hcall(domctl, argument), -XEN_EACCES);          /* an interface version that is not Xen's */
    check_eq(hcall(sysctl, argument), -XEN_EACCES);
    check_eq(hcall(platform_op, argument), -XEN_EACCES);
    check_eq(hcall(domctl, BAD_POINTER), -XEN_EFAULT);
    check_eq(hcall(hypfs_op, 0, 0, 0, 0, 0), -XEN_EPERM);
    check_eq(hcall(xenpmu_op, 0, argument), -XEN_EOPNOTSUPP);
    check_eq(hcall(dm_op, 0x7000, 0, 0), -XEN_ESRCH);
    check_eq(hcall(dm_op, DOMID_SELF, 0, 0), -XEN_EPERM);
    check_eq(hcall(mmu_update, 0, 0, 0, DOMID_SELF), -XEN_ENOSYS);
    check_eq(hcall(set_trap_table, 0), -XEN_ENOSYS);
    check_eq(hcall(kexec_op, 0, argument), -XEN_ENOSYS);
    check_eq(hcall(mca, argument), -XEN_ENOSYS);
    check_eq(hcall(event_channel_op_compat, argument), -XEN_ENOSYS);
    check_eq(hcall(callback_op, 0, argument), -XEN_ENOSYS);
}

static void parts(void)
{
    check_eq(hcall(memory_op, XENMEM_machphys_mapping, argument), -XEN_ENOSYS);
    check(hcall(memory_op, XENMEM_maximum_gpfn, &(domid_t){ DOMID_SELF }) > 0x100);
    check_eq(hcall(grant_table_op, GNTTABOP_dump_table, argument, 1), -XEN_ENOSYS);
    check_eq(hcall(grant_table_op, GNTTABOP_transfer, argument, 0), -XEN_ENOSYS);
    check_eq(hcall(grant_table_op, GNTTABOP_get_status_frames, argument, 1), -XEN_ENOSYS);
    check_eq(hcall(grant_table_op, GNTTABOP_copy, argument, 0), 0);
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iopl, argument), -XEN_ENOSYS);
    check_eq(hcall(physdev_op, PHYSDEVOP_eoi, argument), -XEN_ENOSYS);
    check_eq(hcall(physdev_op, PHYSDEVOP_get_free_pirq, argument), -XEN_ENOSYS);
    check(hcall(physdev_op, PHYSDEVOP_map_pirq, argument) != -XEN_ENOSYS);
}

void test_main(void)
{
    versions();
    whole_calls();
    parts();
    for (unsigned i = 0; i < sizeof(argument); i++)
        require(argument[i] == 0);
}
