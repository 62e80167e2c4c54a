/* @title  vm_assist of a domain with a physmap
 * @fact   the one assist that it has can be switched; those of paravirtual domains and unknown commands are refused
 * @source xen/common/kernel.c (vm_assist); arch_vm_assist_valid_mask() of Xen's architectures
 * @env    pvh64 pvh32 hvm64 hvm32pae arm64 arm32
 */
#include <guest.h>

void test_main(void)
{
    check_eq(hcall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
    check_eq(hcall(vm_assist, VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag), 0);
    check_eq(hcall(vm_assist, 2, VMASST_TYPE_runstate_update_flag), -XEN_ENOSYS);
    for (unsigned type = 0; type < 70; type++)
        if (type != VMASST_TYPE_runstate_update_flag)
            check_eq(hcall(vm_assist, VMASST_CMD_enable, type), -XEN_EINVAL);
}
