/* @title  NMI
 * @fact   an NMI that the guest sends itself enters its NMI callback, once, even with events masked
 * @source xen/include/public/nmi.h, vcpu.h (VCPUOP_send_nmi), callback.h (CALLBACKTYPE_nmi)
 * @env    pv64
 */
#include <guest.h>
#include <abi/nmi.h>

static unsigned nmis;

static bool on_nmi(struct regs *regs)
{
    (void)regs;
    nmis++;
    return true;
}

void test_main(void)
{
    struct xennmi_callback callback = { .handler_address = (unsigned long)trap_nmi };

    trap_set_handler(X86_EXC_NMI, on_nmi);
    check_eq(hcall(nmi_op, XENNMI_register_callback, &callback), 0);
    events_disable();
    check_eq(hcall(vcpu_op, VCPUOP_send_nmi, 0, 0), 0);
    check_eq(nmis, 1);
    check_eq(hcall(vcpu_op, VCPUOP_send_nmi, 0, 0), 0);
    check_eq(nmis, 2);
    check_eq(hcall(vcpu_op, VCPUOP_send_nmi, 9, 0), -XEN_ENOENT);
    check_eq(hcall(nmi_op, XENNMI_unregister_callback, 0), 0);
    check_eq(hcall(nmi_op, 9, 0), -XEN_ENOSYS);
}
