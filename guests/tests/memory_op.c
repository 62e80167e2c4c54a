/* @title  memory_op
 * @fact   a domain gives frames back and gets frames, within its limit; sizes and maps are told; bad arguments refused
 * @source xen/include/public/memory.h, xen/common/memory.c
 * @env    pv64
 * @memory 32
 */
#include <guest.h>
#include <abi/memory.h>

static char window[4096] __attribute__((aligned(4096)));

void test_main(void)
{
    domid_t self = DOMID_SELF;
    long pages = (long)guest_start_info()->nr_pages;

    check_eq(hcall(memory_op, XENMEM_current_reservation, &self), pages);
    check(hcall(memory_op, XENMEM_maximum_reservation, &self) >= pages);
    check(hcall(memory_op, XENMEM_maximum_ram_page, 0) > 0);
    domid_t other = 0x7000;
    check(hcall(memory_op, XENMEM_current_reservation, &other) < 0);
    check_eq(hcall(memory_op, XENMEM_current_reservation, 0x1000), -XEN_EFAULT);
    check_eq(hcall(memory_op, 60, &self), -XEN_ENOSYS);

    /* Where the M2P is. */
    struct xen_machphys_mapping mapping;
    check_eq(hcall(memory_op, XENMEM_machphys_mapping, &mapping), 0);
    check_eq(mapping.v_start, MACH2PHYS_VIRT_START);
    check(mapping.max_mfn >= virt_to_mfn(window));

    /* A frame back: it must not be mapped anywhere. */
    uint64_t pfn = pfn_alloc();
    xen_pfn_t list[4] = { pfn_to_mfn(pfn) };
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, list);
    check_eq(hcall(memory_op, XENMEM_decrease_reservation, &r), 1);
    check_eq(hcall(memory_op, XENMEM_current_reservation, &self), pages - 1);
    check_eq(hcall(memory_op, XENMEM_decrease_reservation, &r), 0);      /* it is not ours any more */
    check(pt_set(window, pte_make(list[0], PTE_P | PTE_US | PTE_RW)) < 0);

    /* And another one for it. */
    list[0] = pfn;
    check_eq(hcall(memory_op, XENMEM_populate_physmap, &r), 1);
    check_eq(hcall(memory_op, XENMEM_current_reservation, &self), pages);
    check_eq(mfn_to_pfn(list[0]), pfn);
    pfn_set_mfn(pfn, list[0]);
    uint64_t own = virt_to_mfn(window);
    check_eq(pt_set(window, pte_make(list[0], PTE_P | PTE_US | PTE_RW)), 0);
    for (unsigned i = 0; i < 4096; i++)
        require(window[i] == 0);
    WRITE_ONCE(window[0], 1);
    check_eq(pt_set(window, pte_make(own, PTE_P | PTE_US | PTE_RW)), 0);

    /* Beyond the limit. */
    for (unsigned i = 0; i < 4; i++)
        list[i] = pfn + 0x1000 + i;
    r.nr_extents = 4;
    long before = hcall(memory_op, XENMEM_current_reservation, &self);
    long limit = hcall(memory_op, XENMEM_maximum_reservation, &self);
    long got = hcall(memory_op, XENMEM_populate_physmap, &r);
    check(got >= 0 && got <= limit - before);

    /* Exchange of a frame for another. */
    uint64_t pfn2 = pfn_alloc();
    xen_pfn_t in = pfn_to_mfn(pfn2), out = pfn2;
    struct xen_memory_exchange x;

    memset(&x, 0, sizeof(x));
    set_xen_guest_handle(x.in.extent_start, &in);
    x.in.nr_extents = 1;
    x.in.domid = DOMID_SELF;
    set_xen_guest_handle(x.out.extent_start, &out);
    x.out.nr_extents = 1;
    x.out.domid = DOMID_SELF;
    long rc = hcall(memory_op, XENMEM_exchange, &x);
    if (rc == 0) {
        check_eq(x.nr_exchanged, 1);
        check_eq(mfn_to_pfn(out), pfn2);
        pfn_set_mfn(pfn2, out);
    } else {
        check(rc == -XEN_ENOSYS || rc == -XEN_EPERM || rc == -XEN_ENOMEM);
    }

    /* Memory map of the domain. */
    struct e820entry entries[16];
    struct xen_memory_map map = { .nr_entries = 16 };

    set_xen_guest_handle(map.buffer, (void *)entries);
    rc = hcall(memory_op, XENMEM_memory_map, &map);
    check(rc == 0 || rc == -XEN_ENOSYS);
    check(hcall(memory_op, XENMEM_machine_memory_map, &map) < 0);

    /* A bad list. */
    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)0x1000);
    r.nr_extents = 1;
    check_eq(hcall(memory_op, XENMEM_decrease_reservation, &r), 0);
    r.domid = 0;
    check(hcall(memory_op, XENMEM_decrease_reservation, &r) <= 0);
}
