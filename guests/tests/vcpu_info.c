/* @title  vcpu_info placement
 * @fact   VCPUOP_register_vcpu_info moves the vcpu's area with its contents, once, to memory of the guest's own
 * @source xen/include/public/vcpu.h (VCPUOP_register_vcpu_info), xen/common/domain.c (map_vcpu_info)
 * @env    pv64
 */
#include <guest.h>

void test_main(void)
{
    char *page = page_alloc();
    struct vcpu_info *moved = (struct vcpu_info *)(page + 0x440), *old = guest_vcpu_info();
    struct vcpu_register_vcpu_info op = { .mfn = virt_to_mfn(page), .offset = 0x440 };
    long port = event_bind_ipi(0);

    require(port > 0);
    event_watch((uint32_t)port, NULL);
    events_disable();

    struct vcpu_register_vcpu_info bad = { .mfn = op.mfn, .offset = 4096 - 8 };
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &bad), -XEN_ENXIO);
    bad.offset = 0;
    bad.mfn = 0x7ffffff;
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &bad), -XEN_EINVAL);
    bad.mfn = virt_to_mfn(pt_root());
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &bad), -XEN_EINVAL);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 1, &op), -XEN_ENOENT);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, 0x1000), -XEN_EFAULT);

    event_send((uint32_t)port);
    require_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &op), 0);
    this_cpu()->info = moved;
    check_eq(moved->evtchn_upcall_mask, 1);
    check_eq(moved->evtchn_upcall_pending, 1);     /* everything is made pending, so that nothing gets lost */
    check(moved->evtchn_pending_sel != 0);
    check(moved->time.version != 0);
    events_enable();
    check_eq(event_count((uint32_t)port), 1);

    /* The new area is the one in use, the old one is not. */
    memset(old, 0, sizeof(*old));
    event_send((uint32_t)port);
    check_eq(event_count((uint32_t)port), 2);
    check_eq(old->evtchn_upcall_pending, 0);
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(0x987UL) : "rax", "memory");
    check_fault(f, X86_EXC_PF, 0);
    check_eq(moved->arch.cr2, 0x987);

    /* Once only, and the frame cannot become a page table now. */
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &op), -XEN_EINVAL);
    check(page_readonly(page) == 0 && pt_ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)) < 0);
    page_writable(page);
    events_disable();
}
