/* @title  memory_op: each refusal
 * @fact   orders, address limits, foreign domains, frames in use and operations of others are refused with their errno,
 *         or stop the count where they come, and nothing changes
 * @source xen/common/memory.c, xen/arch/x86/mm.c of Xen 4.17; xen/include/public/memory.h
 * @env    pv64
 */
#include <guest.h>
#include <abi/memory.h>

static xen_pfn_t list[8];
static char mapped[4096] __attribute__((aligned(4096)));

static long reserve(unsigned op, xen_pfn_t first, unsigned order, unsigned flags)
{
    struct xen_memory_reservation r = {
        .nr_extents = 1, .extent_order = order, .mem_flags = flags, .domid = DOMID_SELF,
    };
    list[0] = first;
    set_xen_guest_handle(r.extent_start, list);
    return hcall(memory_op, op, &r);
}

static long exchange(xen_pfn_t mfn, unsigned order, domid_t domid)
{
    struct xen_memory_exchange x;

    memset(&x, 0, sizeof(x));
    list[0] = mfn;
    list[1] = 1;
    set_xen_guest_handle(x.in.extent_start, &list[0]);
    set_xen_guest_handle(x.out.extent_start, &list[1]);
    x.in.nr_extents = x.out.nr_extents = 1;
    x.in.extent_order = x.out.extent_order = order;
    x.in.domid = x.out.domid = domid;
    long rc = hcall(memory_op, XENMEM_exchange, &x);
    check(rc == 0 || x.nr_exchanged == 0);
    return rc;
}

static long add(unsigned op, unsigned space, domid_t domid)
{
    struct xen_add_to_physmap one = { .domid = domid, .space = space };
    struct xen_add_to_physmap_batch batch;

    memset(&batch, 0, sizeof(batch));
    batch.domid = domid;
    batch.space = (uint16_t)space;
    return hcall(memory_op, op, (op & MEMOP_CMD_MASK) == XENMEM_add_to_physmap ? (void *)&one : (void *)&batch);
}

void test_main(void)
{
    domid_t self = DOMID_SELF;
    long before = hcall(memory_op, XENMEM_current_reservation, &self);
    uint64_t spare = pfn_to_mfn(pfn_alloc());

    /* a count that stays 0 */
    check_eq(reserve(XENMEM_populate_physmap, 1, 10, 0), 0);
    check_eq(reserve(XENMEM_populate_physmap, 1, 0, XENMEMF_address_bits(12)), 0);
    check_eq(reserve(XENMEM_populate_physmap, 1, 0, XENMEMF_populate_on_demand), 0);
    check_eq(reserve(XENMEM_decrease_reservation, ~0UL, 0, 0), 0);
    check_eq(reserve(XENMEM_decrease_reservation, guest_start_info()->shared_info >> 12, 0, 0), 0);
    check_eq(hcall(memory_op, XENMEM_populate_physmap | 5 << MEMOP_EXTENT_SHIFT, 0x1000), 5);
    check_eq(hcall(memory_op, XENMEM_current_reservation | 1 << MEMOP_EXTENT_SHIFT, &self), -XEN_EINVAL);

    /* room for one frame, but none below 8 KiB */
    check_eq(reserve(XENMEM_decrease_reservation, spare, 0, 0), 1);
    check_eq(reserve(XENMEM_populate_physmap, 1, 0, XENMEMF_address_bits(13)), 0);
    check_eq(reserve(XENMEM_increase_reservation, 0, 0, 0), 1);
    spare = list[0];
    check_eq(hcall(memory_op, XENMEM_current_reservation, &self), before);

    /* exchange */
    check_eq(exchange(virt_to_mfn(mapped), 0, DOMID_SELF), -XEN_EINVAL);
    check_eq(exchange(spare, 10, DOMID_SELF), -XEN_EPERM);
    check_eq(exchange(spare, 0, 0), -XEN_EPERM);
    check_eq(exchange(spare, 0, 0x7000), -XEN_ESRCH);
    check_eq(exchange(~0UL, 0, DOMID_SELF), -XEN_EINVAL);
    check_eq(exchange(spare, 0, DOMID_SELF), 0);
    check_eq(hcall(memory_op, XENMEM_current_reservation, &self), before);

    /* a physmap of Xen's is for others */
    check_eq(add(XENMEM_add_to_physmap, XENMAPSPACE_shared_info, DOMID_SELF), -XEN_EACCES);
    check_eq(add(XENMEM_add_to_physmap, XENMAPSPACE_gmfn_foreign, DOMID_SELF), -XEN_ENOSYS);
    check_eq(add(XENMEM_add_to_physmap, XENMAPSPACE_dev_mmio, DOMID_SELF), -XEN_EACCES);
    check_eq(add(XENMEM_add_to_physmap | 1 << 30, XENMAPSPACE_grant_table, DOMID_SELF), -XEN_EDOM);
    check_eq(add(XENMEM_add_to_physmap_batch, XENMAPSPACE_gmfn_range, DOMID_SELF), -XEN_EOPNOTSUPP);
    check_eq(add(XENMEM_add_to_physmap_batch, XENMAPSPACE_grant_table, 0), -XEN_EPERM);
    struct xen_remove_from_physmap gone = { .domid = DOMID_SELF, .gpfn = ~0UL };
    check_eq(hcall(memory_op, XENMEM_remove_from_physmap, &gone), -XEN_ENOENT);

    /* the map that a domain sets for itself */
    static struct e820entry e820[2] = { { 0, 0xa0000, E820_RAM }, { 0x100000, 0x1000000, E820_RAM } }, seen[2];
    struct xen_foreign_memory_map set = { .domid = DOMID_SELF, .map = { .nr_entries = 1u << 20 } };
    set_xen_guest_handle(set.map.buffer, (void *)e820);
    check_eq(hcall(memory_op, XENMEM_set_memory_map, &set), -XEN_EINVAL);
    set.map.nr_entries = 2;
    check_eq(hcall(memory_op, XENMEM_set_memory_map, &set), 0);
    struct xen_memory_map map = { .nr_entries = 9 };
    set_xen_guest_handle(map.buffer, (void *)seen);
    check_eq(hcall(memory_op, XENMEM_memory_map, &map), 0);
    check_eq(map.nr_entries, 2);
    check(seen[1].addr == 0x100000 && seen[1].size == 0x1000000 && seen[1].type == E820_RAM);

    /* the control domain's, and what no domain here has */
    struct xen_vnuma_topology_info vnuma = { .domid = DOMID_SELF };
    check_eq(hcall(memory_op, XENMEM_get_vnumainfo, &vnuma), -XEN_EOPNOTSUPP);
    struct xen_mem_acquire_resource resource = { .domid = DOMID_SELF };
    check_eq(hcall(memory_op, XENMEM_acquire_resource, &resource), -XEN_EPERM);
    resource.pad = 1;
    check_eq(hcall(memory_op, XENMEM_acquire_resource, &resource), -XEN_EINVAL);
    struct xen_pod_target pod = { .domid = DOMID_SELF };
    check_eq(hcall(memory_op, XENMEM_set_pod_target, &pod), -XEN_EPERM);
}
