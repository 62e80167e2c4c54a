/* @title  multicall
 * @fact   every entry runs in order and gets its own result; errors do not stop the list; a list in a list is refused
 * @source xen/include/public/xen.h (multicall_entry), xen/common/multicall.c
 * @env    pv64 pv64low
 */
#include <guest.h>

static struct multicall_entry calls[64];

void test_main(void)
{
    uint64_t before = virt_to_mfn(calls);

    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        calls[i].op = i % 4 == 3 ? 63 : __HYPERVISOR_xen_version;
        calls[i].args[0] = i % 4 == 1 ? 7 : i % 4 == 2 ? 77 : 0;
        calls[i].result = 0x5555;
    }
    check_eq(hcall(multicall, calls, ARRAY_SIZE(calls)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        long result = (long)calls[i].result;

        if (i % 4 == 0)
            check_eq(result >> 16, 4);
        else
            check_eq(result, i % 4 == 1 ? 4096 : -XEN_ENOSYS);
    }

    /* Calls answered by different parts of the hypervisor, with an effect. */
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };

    memset(calls, 0, sizeof(calls));
    calls[0].op = __HYPERVISOR_event_channel_op;
    calls[0].args[0] = EVTCHNOP_alloc_unbound;
    calls[0].args[1] = (unsigned long)&unbound;
    calls[1].op = __HYPERVISOR_fpu_taskswitch;
    calls[1].args[0] = 1;
    calls[2].op = __HYPERVISOR_multicall;
    calls[2].args[0] = (unsigned long)&calls[3];
    calls[2].args[1] = 1;
    calls[3].op = __HYPERVISOR_sched_op;
    calls[3].args[0] = SCHEDOP_yield;
    check_eq(hcall(multicall, calls, 4), 0);
    check_eq((long)calls[0].result, 0);
    check(unbound.port > 0);
    check_eq((long)calls[1].result, 0);
    check_eq((long)calls[2].result, -XEN_EINVAL);
    check_eq((long)calls[3].result, 0);
    hcall(fpu_taskswitch, 0);

    check_eq(hcall(multicall, calls, 0), 0);
    check_eq(hcall(multicall, BAD_POINTER, 1), -XEN_EFAULT);
    check_eq(hcall(multicall, HYPERVISOR_VIRT_START, 1), -XEN_EFAULT);
    check_eq(virt_to_mfn(calls), before);
}
