/* @title  SCHEDOP_poll
 * @fact   poll returns at once when a port is pending, at the time-out otherwise, and refuses bad lists; an event of another port
 *         that waits, while the vcpu does not take events, does not end it
 * @source xen/include/public/sched.h (SCHEDOP_poll)
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>

void test_main(void)
{
    long port = event_bind_ipi(0), other = event_bind_ipi(0);
    require(port > 0 && other > 0);

    event_mask((uint32_t)port);
    event_mask((uint32_t)other);
    event_send((uint32_t)port);
    uint64_t before = clock_ns();
    check_eq(event_poll((uint32_t)port, before + 1000000000), 0);
    check(clock_ns() - before < 1000000);

    /* Nothing pending: until the time-out, and not before. */
    event_clear((uint32_t)port);
    before = clock_ns();
    check_eq(event_poll((uint32_t)port, before + 5000000), 0);
    check(clock_ns() - before >= 5000000);
    check(clock_ns() - before < 6000000);

    /* A time-out that has passed. */
    check_eq(event_poll((uint32_t)port, before), 0);

    /* Several ports: the pending one ends it. */
    evtchn_port_t ports[2] = { (evtchn_port_t)port, (evtchn_port_t)other };
    struct sched_poll poll = { .nr_ports = 2, .timeout = clock_ns() + 1000000000 };

    set_xen_guest_handle(poll.ports, ports);
    event_send((uint32_t)other);
    before = clock_ns();
    check_eq(hcall(sched_op, SCHEDOP_poll, &poll), 0);
    check(clock_ns() - before < 1000000);

    /* Another port's upcall is pending, and kept away. */
    long waiting = event_bind_ipi(0);

    require(waiting > 0);
    events_disable();
    event_watch((uint32_t)waiting, NULL);
    event_send((uint32_t)waiting);
    check_eq(guest_vcpu_info()->evtchn_upcall_pending, 1);
    before = clock_ns();
    check_eq(event_poll((uint32_t)port, before + 5000000), 0);
    check(clock_ns() - before >= 5000000);

    poll.nr_ports = 129;
    check_eq(hcall(sched_op, SCHEDOP_poll, &poll), -XEN_EINVAL);
    poll.nr_ports = 1;
    set_xen_guest_handle(poll.ports, (evtchn_port_t *)BAD_POINTER);
    check_eq(hcall(sched_op, SCHEDOP_poll, &poll), -XEN_EFAULT);
    ports[0] = 0xfffffff0;
    set_xen_guest_handle(poll.ports, ports);
    check_eq(hcall(sched_op, SCHEDOP_poll, &poll), -XEN_EINVAL);
}
