/* @title  continued hypercalls
 * @fact   a call whose work is cut into pieces ends with one result, directly and inside a multicall, and the calls
 *         behind it in the list are made once
 * @source xen/common/multicall.c, xen/common/memory.c, xen/drivers/char/console.c of Xen 4.17
 * @env    pv64
 * @memory 64
 */
#include <guest.h>
#include <abi/memory.h>
#include <abi/version.h>

enum { LENGTH = 5000, EXTENTS = 6000 };

static char text[LENGTH];
static xen_pfn_t list[EXTENTS];

void test_main(void)
{
    long rc;

    for (unsigned i = 0; i < LENGTH; i++)
        text[i] = i % 1000 == 999 ? '\n' : '.';
    rc = hcall(console_io, CONSOLEIO_write, LENGTH, text);
    check(rc == 0 || rc == -XEN_EPERM);

    struct xen_memory_reservation give = { .nr_extents = EXTENTS, .domid = DOMID_SELF };
    set_xen_guest_handle(give.extent_start, list);
    for (unsigned i = 0; i < EXTENTS; i++)
        list[i] = pfn_to_mfn(pfn_alloc());

    domid_t self = DOMID_SELF;
    long before = hcall(memory_op, XENMEM_current_reservation, &self);
    static struct multicall_entry calls[5];
    calls[0] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } };
    calls[1] = (struct multicall_entry){ .op = __HYPERVISOR_memory_op,
                                         .args = { XENMEM_decrease_reservation, (unsigned long)&give } };
    calls[2] = (struct multicall_entry){ .op = __HYPERVISOR_console_io,
                                         .args = { CONSOLEIO_write, LENGTH, (unsigned long)text } };
    calls[3] = (struct multicall_entry){ .op = __HYPERVISOR_memory_op,
                                         .args = { XENMEM_increase_reservation, (unsigned long)&give } };
    calls[4] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } };
    check_eq(hcall(multicall, calls, 5), 0);
    check_eq(calls[0].result, 4096);
    check_eq(calls[1].result, EXTENTS);
    check_eq((long)calls[2].result, rc);
    check_eq(calls[3].result, EXTENTS);
    check_eq(calls[4].result >> 16, 4);
    check_eq(hcall(memory_op, XENMEM_current_reservation, &self), before);

    for (unsigned i = 0; i < EXTENTS; i++)
        require(list[i] != 0 && (i == 0 || list[i] != list[i - 1]));
}
