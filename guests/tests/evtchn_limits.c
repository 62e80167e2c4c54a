/* @title  event channels: running out
 * @fact   the two-level ABI has 4095 ports, the FIFO array 128 pages, a domain two watchdogs; one more is refused, and
 *         what is given back can be had again
 * @source xen/include/public/event_channel.h (EVTCHN_2L_NR_CHANNELS, FIFO), sched.h (SCHEDOP_watchdog)
 * @env    pv64 arm64 arm32
 */
#include <guest.h>

static long watchdog(uint32_t id, uint32_t timeout)
{
    struct sched_watchdog op = { .id = id, .timeout = timeout };

    return hcall(sched_op, SCHEDOP_watchdog, &op);
}

static void ports(void)
{
    long port, last = 0;

    while ((port = event_bind_ipi(0)) > 0)
        last = port;
    check_eq(port, -XEN_ENOSPC);
    check_eq(last, 4095);
    check_eq(event_close(77), 0);
    check_eq(event_bind_ipi(0), 77);
    check_eq(event_bind_ipi(0), -XEN_ENOSPC);
}

static void fifo_array(void)
{
    struct evtchn_init_control init = { .control_gfn = virt_to_mfn(page_alloc()) };
    struct evtchn_expand_array expand = { .array_gfn = virt_to_mfn(page_alloc()) };
    unsigned pages = 0;
    long rc;

    require_eq(hcall(event_channel_op, EVTCHNOP_init_control, &init), 0);
    check_eq(init.link_bits, EVTCHN_FIFO_LINK_BITS);
    while ((rc = hcall(event_channel_op, EVTCHNOP_expand_array, &expand)) == 0)
        pages++;                         /* one page many times: nothing forbids it */
    check_eq(rc, -XEN_ENOSPC);
    check_eq(pages, 128);
    check(event_bind_ipi(0) > 4095);

    struct evtchn_reset reset = { .dom = DOMID_SELF };
    check_eq(hcall(event_channel_op, EVTCHNOP_reset, &reset), 0);
    check_eq(hcall(event_channel_op, EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP);
}

static void watchdogs(void)
{
    check_eq(watchdog(0, 1000), 1);
    check_eq(watchdog(0, 1000), 2);
    check_eq(watchdog(0, 1000), -XEN_ENOSPC);
    check_eq(watchdog(3, 1000), -XEN_EINVAL);
    check_eq(watchdog(1, 0), 0);
    check_eq(watchdog(1, 5), -XEN_EINVAL);
    check_eq(watchdog(0, 1000), 1);
    check_eq(watchdog(1, 0), 0);
    check_eq(watchdog(2, 0), 0);
}

void test_main(void)
{
    console_init(NULL, 0);               /* its port goes with the reset: print by hypercall */
    watchdogs();
    ports();
    fifo_array();
}
