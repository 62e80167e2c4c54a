/* @title  event channel errors
 * @fact   bad ports, bad vcpus, bad VIRQs and double bindings have their errnos
 * @source xen/common/event_channel.c, xen/include/public/event_channel.h
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>

void test_main(void)
{
    static const uint32_t bad_ports[] = { 0, 3000, 4096, 0x20000, 0xffffffff };

    for (unsigned i = 0; i < ARRAY_SIZE(bad_ports); i++) {
        check_eq(event_send(bad_ports[i]), -XEN_EINVAL);
        check_eq(event_close(bad_ports[i]), -XEN_EINVAL);
    }
    check_eq(event_unmask(0xffffffff), -XEN_EINVAL);
    check_eq(event_bind_ipi(1), -XEN_ENOENT);
    check_eq(event_bind_ipi(0xffffffff), -XEN_ENOENT);
    check_eq(event_bind_virq(NR_VIRQS, 0), -XEN_EINVAL);
    check_eq(event_bind_virq(VIRQ_TIMER, 5), -XEN_ENOENT);

    long timer = event_bind_virq(VIRQ_TIMER, 0);
    check(timer > 0);
    check_eq(event_bind_virq(VIRQ_TIMER, 0), -XEN_EEXIST);
    check_eq(event_close((uint32_t)timer), 0);

    check(event_alloc_unbound(0x6000) > 0);      /* whoever that may be, once it exists */
    struct evtchn_alloc_unbound other = { .dom = 0x7000, .remote_dom = DOMID_SELF };
    check(hcall(event_channel_op, EVTCHNOP_alloc_unbound, &other) < 0);
    check_eq(event_bind_interdomain(DOMID_SELF, 3000), -XEN_EINVAL);

    struct evtchn_bind_pirq pirq = { .pirq = 9 };
    check(hcall(event_channel_op, EVTCHNOP_bind_pirq, &pirq) < 0);

    long ipi = event_bind_ipi(0);
    struct evtchn_bind_vcpu move = { .port = (uint32_t)ipi, .vcpu = 0 };
    check_eq(hcall(event_channel_op, EVTCHNOP_bind_vcpu, &move), -XEN_EINVAL);   /* an IPI stays where it is */
    move.port = 3000;
    check_eq(hcall(event_channel_op, EVTCHNOP_bind_vcpu, &move), -XEN_EINVAL);

    check_eq(hcall(event_channel_op, EVTCHNOP_alloc_unbound, BAD_POINTER), -XEN_EFAULT);
    check_eq(hcall(event_channel_op, 14, &move), -XEN_ENOSYS);
    check_eq(hcall(event_channel_op, -1, &move), -XEN_ENOSYS);

    /* The status of a closed port, and of another domain's. */
    struct evtchn_status status = { .dom = DOMID_SELF, .port = (uint32_t)ipi };
    check_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    check_eq(status.status, EVTCHNSTAT_ipi);
    check_eq(event_close((uint32_t)ipi), 0);
    check_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    check_eq(status.status, EVTCHNSTAT_closed);
}
