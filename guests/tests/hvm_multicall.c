/* @title  multicalls on whole processors
 * @fact   entries are laid out by the caller's width; what C, Python or nobody serves gets its own result; a list goes on
 *         where it was cut: after many entries, after a call that is continued, after one that gives up the processor
 * @source xen/include/public/xen.h (multicall_entry); xen/common/multicall.c, hvm_do_multicall_call() in
 *         xen/arch/x86/hvm/hypercall.c
 * @env    pvh64 hvm64 hvm32 hvm32pae pvh32
 * @memory 32
 */
#include <guest.h>
#include <abi/memory.h>
#include <abi/version.h>

enum { ENTRIES = 600, BATCH = 4096 };

static struct multicall_entry calls[ENTRIES] __attribute__((aligned(4096)));

static void entry(unsigned i, unsigned long op, unsigned long a, unsigned long b)
{
    calls[i] = (struct multicall_entry){ .op = op, .args = { a, b }, .result = 0x5555 };
}

static long result(unsigned i) { return (long)calls[i].result; }

static void many(void)
{
    long port = event_bind_ipi(0);
    struct evtchn_send send = { .port = (uint32_t)port };

    event_mask((uint32_t)port);
    for (unsigned i = 0; i < ENTRIES; i++)
        switch (i % 4) {
        case 0: entry(i, __HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send); break;
        case 1: entry(i, __HYPERVISOR_xen_version, XENVER_pagesize, 0); break;
        case 2: entry(i, 63, 0, 0); break;
        default: entry(i, __HYPERVISOR_fpu_taskswitch, 1, 0);     /* PV guests have it */
        }
    check_eq(hcall(multicall, calls, ENTRIES), 0);
    for (unsigned i = 0; i < ENTRIES; i++)
        check_eq(result(i), i % 4 == 0 ? 0 : i % 4 == 1 ? (long)PAGE_SIZE : -XEN_ENOSYS);
    check(event_pending((uint32_t)port));
}

/* More frames than are done at once: each is put where it is. */
static void continued(void)
{
    struct xen_add_to_physmap range = { .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_range, .size = BATCH + 100,
                                        .idx = 0x200, .gpfn = 0x200 };

    entry(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, (unsigned long)&range);
    entry(1, __HYPERVISOR_xen_version, XENVER_version, 0);
    check_eq(hcall(multicall, calls, 2), 0);
    check_eq(result(0), 0);
    check_eq(result(1), 4 << 16 | 17);
    check(calls[0].args[0] != XENMEM_add_to_physmap);       /* as far as it had come: progress is in the command */
}

static void given_up(void)
{
    uint64_t before = clock_ns();
    evtchn_port_t port = (evtchn_port_t)event_bind_ipi(0);
    struct sched_poll poll = { .nr_ports = 1, .timeout = before + 3000000 };

    set_xen_guest_handle(poll.ports, &port);
    event_mask(port);
    entry(0, __HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    entry(1, __HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)&poll);
    entry(2, __HYPERVISOR_multicall, (unsigned long)calls, 1);
    entry(3, __HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    check_eq(hcall(multicall, calls, 4), 0);
    check_eq(result(0), 0);
    check_eq(result(1), 0);
    check_eq(result(2), -XEN_EINVAL);
    check_eq(result(3), 0);
    check(clock_ns() - before >= 3000000);
}

void test_main(void)
{
    check_eq(sizeof(struct multicall_entry), 8 * sizeof(long));
    many();
    continued();
    given_up();
    check_eq(hcall(multicall, calls, 0), 0);
    check_eq(hcall(multicall, BAD_POINTER, 1), -XEN_EFAULT);
    check_eq(hcall(multicall, 0ul - sizeof(long), 2), -XEN_EFAULT);
}
