/* @title  xen_version
 * @fact   every sub-operation answers as for an unprivileged 64-bit PV domain
 * @source xen/include/public/version.h, features.h; xen/common/kernel.c
 * @env    pv64
 */
#include <guest.h>
#include <abi/version.h>
#include <abi/features.h>

void test_main(void)
{
    static char text[1100];
    static union { struct xen_compile_info compile; struct xen_platform_parameters platform; } u;
    struct xen_feature_info features = { .submap_idx = 0 };

    check_eq(hcall(xen_version, XENVER_version, 0) >> 16, 4);
    check_eq(hcall(xen_version, XENVER_version, 0) & 0xffff, 17);
    check_eq(hcall(xen_version, XENVER_pagesize, 0), 4096);

    check(hcall(xen_version, XENVER_extraversion, text) >= 0);
    printf("extraversion '%s'\n", text);
    check(text[0] == '.' || text[0] == '-');
    check(hcall(xen_version, XENVER_compile_info, &u.compile) >= 0);
    printf("compiled by '%s'\n", u.compile.compiler);
    check(hcall(xen_version, XENVER_capabilities, text) >= 0);
    printf("capabilities '%s'\n", text);
    check(strstr(text, "xen-3.0-x86_64") != NULL);
    check(hcall(xen_version, XENVER_changeset, text) >= 0);
    check_eq(hcall(xen_version, XENVER_platform_parameters, &u.platform), 0);
    check_eq(u.platform.virt_start, HYPERVISOR_VIRT_START);

    require_eq(hcall(xen_version, XENVER_get_features, &features), 0);
    printf("features %x\n", features.submap);
    check(!(features.submap & 1u << XENFEAT_auto_translated_physmap));
    check(!(features.submap & 1u << XENFEAT_supervisor_mode_kernel));
    check(features.submap & 1u << XENFEAT_mmu_pt_update_preserve_ad);
    check(!(features.submap & 1u << XENFEAT_pae_pgdir_above_4gb));       /* follows the assist */
    check_eq(hcall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0);
    check_eq(hcall(xen_version, XENVER_get_features, &features), 0);
    check(features.submap & 1u << XENFEAT_pae_pgdir_above_4gb);
    check(!(features.submap & 1u << XENFEAT_dom0));
    features.submap_idx = 1;
    long rc = hcall(xen_version, XENVER_get_features, &features);
    check(rc == -XEN_EINVAL || (rc == 0 && features.submap == 0));

    xen_domain_handle_t handle;
    check_eq(hcall(xen_version, XENVER_guest_handle, handle), 0);
    check(hcall(xen_version, XENVER_commandline, text) == 0 || text[0] == 0);
    check(hcall(xen_version, XENVER_build_id, 0) < 0);
    check_eq(hcall(xen_version, 99, text), -XEN_ENOSYS);
    check_eq(hcall(xen_version, XENVER_extraversion, BAD_POINTER), -XEN_EFAULT);
    check_eq(hcall(xen_version, XENVER_get_features, HYPERVISOR_VIRT_START), -XEN_EFAULT);
}
