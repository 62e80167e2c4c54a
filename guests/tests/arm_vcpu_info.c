/* @title  vcpu_info placement on ARM
 * @fact   VCPUOP_register_vcpu_info moves the vcpu's area, once, to memory of the guest's own; other operations of vcpu_op are
 *         not ARM's
 * @source xen/arch/arm/domain.c (do_vcpu_op), xen/common/domain.c (map_vcpu_info)
 * @env    arm64 arm32
 */
#include <guest.h>

void test_main(void)
{
    char *page = page_alloc();
    struct vcpu_info *moved = (struct vcpu_info *)(page + 0x440), *old = guest_vcpu_info();
    struct vcpu_register_vcpu_info op = { .mfn = virt_to_mfn(page), .offset = 0x440 };
    struct vcpu_set_singleshot_timer once = { .flags = 0 };
    long port = event_bind_ipi(0);

    require(port > 0);
    event_watch((uint32_t)port, NULL);
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), -XEN_EINVAL);
    check_eq(hcall(vcpu_op, VCPUOP_up, 0, 0), -XEN_EINVAL);
    check_eq(hcall(vcpu_op, VCPUOP_up, 1, 0), -XEN_ENOENT);
    check_eq(hcall(vcpu_op, 99, 5, 0), -XEN_ENOENT);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 7, &op), -XEN_ENOENT);
    op.offset = 4096 - 8;
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &op), -XEN_ENXIO);
    op.offset = 0x440;
    event_send((uint32_t)port);
    require_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &op), 0);
    this_cpu()->info = moved;
    check_eq(moved->evtchn_upcall_pending, 1);
    irq_enable();
    arch_isb();
    check_eq(event_count((uint32_t)port), 1);
    memset(old, 0, sizeof(*old));
    event_send((uint32_t)port);
    check_eq(event_count((uint32_t)port), 2);
    irq_disable();
    check_eq(old->evtchn_upcall_pending, 0);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 0, &op), -XEN_EINVAL);
}
