/* @title  masked events
 * @fact   a masked port collects its event without an upcall; EVTCHNOP_unmask delivers it; the upcall finds the mask of
 *         the vcpu set, and returning restores it
 * @source xen/include/public/xen.h (shared_info, vcpu_info), event_channel.h (EVTCHNOP_unmask)
 * @env    pv64
 */
#include <guest.h>

static unsigned handled, mask_inside;

static void on_event(uint32_t port)
{
    (void)port;
    handled++;
    mask_inside = guest_vcpu_info()->evtchn_upcall_mask;
}

void test_main(void)
{
    long port = event_bind_ipi(0);
    require(port > 0);

    event_watch((uint32_t)port, on_event);
    event_mask((uint32_t)port);
    events_enable();
    check_eq(event_send((uint32_t)port), 0);
    check(event_pending((uint32_t)port));
    check_eq(handled, 0);
    check_eq(guest_vcpu_info()->evtchn_upcall_pending, 0);

    check_eq(event_unmask((uint32_t)port), 0);
    check_eq(handled, 1);
    check_eq(mask_inside, 1);
    check_eq(guest_vcpu_info()->evtchn_upcall_mask, 0);
    check(!event_pending((uint32_t)port));

    /* Unmasking when nothing is pending does nothing. */
    check_eq(event_unmask((uint32_t)port), 0);
    check_eq(handled, 1);

    /* SCHEDOP_block opens the mask and comes back after the event. */
    events_disable();
    event_send((uint32_t)port);
    check_eq(handled, 1);
    check_eq(hcall(sched_op, SCHEDOP_block, 0), 0);
    check_eq(handled, 2);
    check_eq(guest_vcpu_info()->evtchn_upcall_mask, 0);
    events_disable();
}
