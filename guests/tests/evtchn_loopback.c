/* @title  event channel loop-back
 * @fact   a pair of ports of one domain: sending on one end makes the other pending and causes one upcall
 * @source xen/include/public/event_channel.h
 * @env    pv64 pv64low pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>

static unsigned handled;

static void on_event(uint32_t port)
{
    (void)port;
    handled++;
}

void test_main(void)
{
    long a = event_alloc_unbound(DOMID_SELF);
    require(a > 0);
    long b = event_bind_interdomain(DOMID_SELF, (uint32_t)a);
    require(b > 0 && b != a);

    struct evtchn_status status = { .dom = DOMID_SELF, .port = (uint32_t)a };
    check_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    check_eq(status.status, EVTCHNSTAT_interdomain);
    check_eq(status.u.interdomain.port, b);
    check_eq(status.vcpu, 0);

    event_watch((uint32_t)a, on_event);
    event_watch((uint32_t)b, on_event);
    /* Interdomain binding makes the new local end pending once. */
    event_clear((uint32_t)b);
    event_clear((uint32_t)a);

    /* Events are masked for this vcpu: nothing but the bits. */
    events_disable();
    check_eq(event_send((uint32_t)a), 0);
    check(event_pending((uint32_t)b));
    check(!event_pending((uint32_t)a));
    check_eq(guest_vcpu_info()->evtchn_upcall_pending, 1);
    check_eq(handled, 0);
    events_enable();
    check_eq(handled, 1);
    check_eq(event_count((uint32_t)b), 1);
    check(!event_pending((uint32_t)b));

    /* With events on, the upcall comes with the hypercall. */
    check_eq(event_send((uint32_t)b), 0);
    check_eq(event_count((uint32_t)a), 1);
    check_eq(event_send((uint32_t)b), 0);
    check_eq(event_count((uint32_t)a), 2);

    /* Two sends while one is pending are one event. */
    events_disable();
    event_send((uint32_t)a);
    event_send((uint32_t)a);
    events_enable();
    check_eq(event_count((uint32_t)b), 2);

    /* Closing one end leaves the other unbound. */
    check_eq(event_close((uint32_t)a), 0);
    status.port = (uint32_t)b;
    check_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    check_eq(status.status, EVTCHNSTAT_unbound);
    check_eq(event_send((uint32_t)a), -XEN_EINVAL);
    check_eq(event_close((uint32_t)b), 0);
    check_eq(event_close((uint32_t)b), -XEN_EINVAL);
    events_disable();
}
