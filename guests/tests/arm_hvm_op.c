/* @title  hvm_op on ARM
 * @fact   a guest reads the parameters of console, xenstore and events and sets none; the operations of x86's processors are
 *         not there
 * @source xen/arch/arm/hvm.c (do_hvm_op, hvm_allow_set_param, hvm_allow_get_param)
 * @env    arm64 arm32
 */
#include <guest.h>
#include <abi/hvm.h>

static const uint32_t READABLE[] = {
    HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN,
};

static void operations_of_x86(void)
{
    struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = 0, .vector = 0x60 };
    struct xen_hvm_get_time time = { .now = 4711 };

    check_eq(hcall(hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall), -XEN_ENOSYS);
    check_eq(hcall(hvm_op, HVMOP_get_time, &time), -XEN_ENOSYS);
    check_eq(time.now, 4711);
    check_eq(hcall(hvm_op, HVMOP_flush_tlbs, 0), -XEN_ENOSYS);
}

void test_main(void)
{
    uint64_t before, after;

    for (unsigned i = 0; i < ARRAY_SIZE(READABLE); i++) {
        check_eq(hvm_get_param(READABLE[i], &before), 0);
        check(before != 0);
        check_eq(hvm_set_param(READABLE[i], 1ULL << 56 | 5), -XEN_EPERM);
        check_eq(hvm_get_param(READABLE[i], &after), 0);
        check_eq(after, before);
    }
    check_eq(hvm_get_param(HVM_PARAM_CALLBACK_IRQ, &before), 0);
    check_eq(before >> HVM_PARAM_CALLBACK_TYPE_SHIFT, HVM_PARAM_CALLBACK_TYPE_PPI);
    check_eq(before & 0xff, GUEST_EVTCHN_PPI);
    check_eq(hvm_get_param(HVM_PARAM_VM86_TSS, &before), -XEN_EPERM);
    check_eq(hvm_get_param(HVM_NR_PARAMS, &before), -XEN_EINVAL);
    operations_of_x86();
}
