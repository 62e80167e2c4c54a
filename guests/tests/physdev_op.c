/* @title  physdev_op and the last of the refused calls
 * @fact   a domain without devices gets the errno of each operation; the EOI map is taken once, from writable memory
 * @source xen/arch/x86/physdev.c, compat.c, xen/common/dm.c of Xen 4.17; xen/include/public/physdev.h
 * @env    pv64
 */
#include <guest.h>
#include <abi/control.h>
#include <abi/physdev.h>

static char eoi_map[4096] __attribute__((aligned(4096)));

static long eoi_gmfn(uint64_t mfn)
{
    struct physdev_pirq_eoi_gmfn arg = { .gmfn = mfn };
    return hcall(physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &arg);
}

void test_main(void)
{
    check_eq(eoi_gmfn(~0UL), -XEN_EINVAL);
    check_eq(eoi_gmfn(virt_to_mfn((void *)guest_start_info()->pt_base)), -XEN_EINVAL);
    check_eq(eoi_gmfn(virt_to_mfn(eoi_map)), 0);
    check_eq(eoi_gmfn(virt_to_mfn(eoi_map)), -XEN_EBUSY);

    struct physdev_eoi eoi = { .irq = 9 };
    check_eq(hcall(physdev_op, PHYSDEVOP_eoi, &eoi), -XEN_EINVAL);
    struct physdev_irq_status_query query = { .irq = 9 };
    check_eq(hcall(physdev_op, PHYSDEVOP_irq_status_query, &query), 0);
    check_eq(query.flags, XENIRQSTAT_needs_eoi);
    struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI };
    check_eq(hcall(physdev_op, PHYSDEVOP_map_pirq, &map), -XEN_EPERM);
    map.domid = 0x7000;
    check_eq(hcall(physdev_op, PHYSDEVOP_map_pirq, &map), -XEN_ESRCH);
    struct physdev_apic apic = { .reg = 1 };
    check_eq(hcall(physdev_op, PHYSDEVOP_apic_read, &apic), -XEN_EPERM);
    check_eq(hcall(physdev_op, 99, &apic), -XEN_ENOSYS);

    /* the old number: the command is in the argument */
    struct physdev_op old = { .cmd = PHYSDEVOP_set_iopl, .u.set_iopl.iopl = 4 };
    check_eq(hcall(physdev_op_compat, &old), -XEN_EINVAL);
    old.u.set_iopl.iopl = 1;
    check_eq(hcall(physdev_op_compat, &old), 0);
    old.cmd = PHYSDEVOP_eoi;
    check_eq(hcall(physdev_op_compat, &old), -XEN_ENOSYS);
    struct evtchn_op event = { .cmd = EVTCHNOP_bind_ipi, .u.bind_ipi.vcpu = 0 };
    check_eq(hcall(event_channel_op_compat, &event), 0);
    check(event.u.bind_ipi.port != 0);

    check_eq(hcall(dm_op, DOMID_SELF, 0, 0), -XEN_EPERM);
    check_eq(hcall(dm_op, 0x7000, 0, 0), -XEN_ESRCH);
    check_eq(hcall(dm_op, 0, XEN_DMOP_MAX_BUFS + 1, 0), -XEN_E2BIG);
    static struct xen_domctl domctl = { .interface_version = XEN_DOMCTL_INTERFACE_VERSION };
    check_eq(hcall(domctl, &domctl), -XEN_EPERM);
    check_eq(hcall(paging_domctl_cont, &domctl), -XEN_EBADRQC);
    domctl.interface_version++;
    check_eq(hcall(domctl, &domctl), -XEN_EACCES);
}
