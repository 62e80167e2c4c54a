/* @title  hvm_op
 * @fact   a domain reads and sets the parameters that are its own, and gets the errnos of Xen for the rest
 * @source xen/include/public/hvm/hvm_op.h; do_hvm_op() in xen/arch/x86/hvm/hvm.c
 * @env    pvh64 hvm64 hvm32pae pvh32
 */
#include <guest.h>

static long set(unsigned index, uint64_t value) { return hvm_set_param(index, value); }

void test_main(void)
{
    uint64_t value = 0;
    struct xen_hvm_param other = { .domid = 0x7000, .index = HVM_PARAM_STORE_PFN };
    struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = 0, .vector = 0x60 };
    struct xen_hvm_pagetable_dying dying = { .domid = DOMID_SELF };
    struct xen_hvm_get_time time = { 0 };

    check_eq(hvm_get_param(HVM_PARAM_STORE_PFN, &value), 0);
    check_eq(value, HVM_SPECIAL_XENSTORE_GFN);
    check_eq(hvm_get_param(HVM_PARAM_CALLBACK_IRQ, &value), 0);
    check_eq(value, (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | EVENT_VECTOR);

    check_eq(hvm_get_param(HVM_NR_PARAMS, &value), -XEN_EINVAL);
    check_eq(hvm_get_param(HVM_PARAM_PAE_ENABLED, &value), -XEN_EPERM);
    check_eq(set(HVM_PARAM_STORE_PFN, 1), -XEN_EPERM);
    check_eq(set(HVM_PARAM_CALLBACK_IRQ, (uint64_t)9 << 56), 0);      /* of no type that there is: events do not come */
    check_eq(set(HVM_PARAM_CALLBACK_IRQ, value), 0);
    check_eq(hcall(hvm_op, HVMOP_get_param, &other), -XEN_ESRCH);
    check_eq(set(HVM_PARAM_ACPI_IOPORTS_LOCATION, 1), 0);
    check_eq(set(HVM_PARAM_ACPI_IOPORTS_LOCATION, 1), -XEN_EEXIST);

    check_eq(hcall(hvm_op, HVMOP_flush_tlbs, 0), 0);
    check_eq(hcall(hvm_op, HVMOP_flush_tlbs, 1), -XEN_EINVAL);
    check_eq(hcall(hvm_op, HVMOP_pagetable_dying, &dying), 0);
    check_eq(hcall(hvm_op, HVMOP_get_time, &time), 0);
    check(time.now <= clock_ns());
    check_eq(hcall(hvm_op, HVMOP_altp2m, 0), -XEN_EOPNOTSUPP);
    check_eq(hcall(hvm_op, 99, 0), -XEN_ENOSYS);

    upcall.vector = 3;
    check_eq(hcall(hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall), -XEN_EINVAL);
    upcall = (struct xen_hvm_evtchn_upcall_vector){ .vcpu = 77, .vector = 0x60 };
    check_eq(hcall(hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall), -XEN_ENOENT);
}
