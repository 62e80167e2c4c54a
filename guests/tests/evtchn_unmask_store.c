/* @title  events unmasked by a store
 * @fact   a store that opens evtchn_upcall_mask is no exit: what was pending is delivered at the guest's next exit, of
 *         itself (a hypercall) or by the hypervisor (the end of its turn), wherever else the run was cut
 * @source xen/include/public/xen.h (vcpu_info: evtchn_upcall_mask)
 * @env    pv64
 */
#include <guest.h>
#include <abi/version.h>

static volatile unsigned handled;

static void on_event(uint32_t port)
{
    (void)port;
    handled++;
}

static void pend(uint32_t port)
{
    events_disable();
    require_eq(event_send(port), 0);
    check(guest_vcpu_info()->evtchn_upcall_pending);
    handled = 0;
    WRITE_ONCE(guest_vcpu_info()->evtchn_upcall_mask, 0);
}

void test_main(void)
{
    long port = event_bind_ipi(0);
    unsigned long spins = 0;

    require(port > 0);
    event_watch((uint32_t)port, on_event);
    events_disable();
    event_unmask((uint32_t)port);

    pend((uint32_t)port);
    hcall(xen_version, XENVER_version, 0);
    check_eq(handled, 1);

    pend((uint32_t)port);
    while (!handled && spins < 1000000000)
        spins++;
    check_eq(handled, 1);
    printf("delivered after %lu spins\n", spins);
    events_disable();
}
