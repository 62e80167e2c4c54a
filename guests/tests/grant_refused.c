/* @title  grants refused
 * @fact   each status and errno of grant_table_op that one domain can provoke alone
 * @source xen/common/grant_table.c, xen/include/public/grant_table.h
 * @env    pv64
 */
#include <guest.h>
#include <grants.h>

enum { REF = 8, FORWARD = 9 };
static char window[4096] __attribute__((aligned(4096)));
static domid_t self;

static int unmap(uint32_t handle, void *at, uint64_t bus)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = (uint64_t)at, .handle = handle, .dev_bus_addr = bus };

    require_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static int swap(uint32_t a, uint32_t b)
{
    struct gnttab_swap_grant_ref op = { .ref_a = a, .ref_b = b };

    require_eq(hcall(grant_table_op, GNTTABOP_swap_grant_ref, &op, 1), 0);
    return op.status;
}

static long flush(uint64_t address, uint16_t offset, uint16_t length, uint32_t what)
{
    struct gnttab_cache_flush op = { .a.dev_bus_addr = address, .offset = offset, .length = length, .op = what };

    return hcall(grant_table_op, GNTTABOP_cache_flush, &op, 1);
}

static void caches(void *page)
{
    uint64_t own = virt_to_mfn(page) << PAGE_SHIFT;

    check_eq(flush(own, 0, 64, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL), 0);
    check_eq(flush(own, 0, 64, GNTTAB_CACHE_INVAL), -XEN_EOPNOTSUPP);
    check_eq(flush(own, 0, 64, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF), -XEN_EOPNOTSUPP);
    check_eq(flush(own, 0, 64, 4), -XEN_EINVAL);
    check_eq(flush(own, 4000, 97, GNTTAB_CACHE_CLEAN), -XEN_EINVAL);
    check_eq(flush(1ull << 50, 0, 64, GNTTAB_CACHE_CLEAN), -XEN_EINVAL);
    check_eq(flush(0, 0, 64, GNTTAB_CACHE_CLEAN), -XEN_EPERM);     /* frame 0 belongs to nobody */
}

static void mappings(void *page)
{
    void *other = page_alloc();
    struct gnttab_map_grant_ref op;
    uint64_t bus = virt_to_mfn(page) << PAGE_SHIFT;
    uint32_t first, n;

    grant_v1(REF, self, virt_to_mfn(page), GTF_permit_access);
    op = grant_map(self, REF, GNTMAP_host_map | GNTMAP_device_map, window);
    require_eq(op.status, GNTST_okay);
    check_eq(op.dev_bus_addr, bus);
    check_eq(unmap(op.handle, window, bus + PAGE_SIZE), GNTST_general_error);
    check_eq(unmap(op.handle, other, 0), GNTST_general_error);     /* another frame is mapped there */
    check_eq(swap(REF, 20), GNTST_eagain);
    check_eq(swap(20, 512), GNTST_bad_gntref);
    check_eq(unmap(op.handle, window, 0), GNTST_okay);
    check_eq(unmap(op.handle, 0, bus), GNTST_okay);
    check_eq(unmap(op.handle, 0, bus), GNTST_bad_handle);
    check_eq(swap(REF, REF), GNTST_okay);

    /* One grant can be mapped 128 times in one way, and no more. */
    op = grant_map(self, REF, GNTMAP_device_map | GNTMAP_readonly, 0);
    first = op.handle;
    for (n = 0; op.status == GNTST_okay; n++)
        op = grant_map(self, REF, GNTMAP_device_map | GNTMAP_readonly, 0);
    check_eq(op.status, GNTST_general_error);
    check_eq(n, 128);
    for (uint32_t handle = first; handle < first + n; handle++)
        require_eq(unmap(handle, 0, bus), GNTST_okay);
}

static void tables(void)
{
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    struct gnttab_get_status_frames status = { .dom = DOMID_SELF, .nr_frames = 1 };

    set_xen_guest_handle(setup.frame_list, (xen_pfn_t *)0x1000);
    check_eq(hcall(grant_table_op, GNTTABOP_setup_table, &setup, 1), 0);
    check_eq(setup.status, GNTST_bad_virt_addr);
    setup.nr_frames = 1000;
    check_eq(hcall(grant_table_op, GNTTABOP_setup_table, &setup, 1), 0);
    check_eq(setup.status, GNTST_general_error);
    check_eq(hcall(grant_table_op, GNTTABOP_setup_table, &setup, 2), -XEN_EINVAL);
    check_eq(hcall(grant_table_op, GNTTABOP_get_status_frames, &status, 1), 0);
    check_eq(status.status, GNTST_general_error);
}

static void version_2(void *page)
{
    union grant_entry_v2 *table;

    if (grants_set_version(2) != 0)
        return;
    table = grants_setup_v2(1);
    table[FORWARD].transitive.trans_domid = self;
    table[FORWARD].transitive.gref = REF;
    table[FORWARD].hdr.domid = self;
    __atomic_store_n(&table[FORWARD].hdr.flags, GTF_transitive, __ATOMIC_SEQ_CST);
    check_eq(grant_copy_from(self, FORWARD, page, 8), GNTST_general_error);       /* to oneself it may not lead */
    check_eq(grant_map(self, FORWARD, GNTMAP_host_map, window).status, GNTST_general_error);
    table[FORWARD].transitive.trans_domid = 0x1234;
    check_eq(grant_copy_from(self, FORWARD, page, 8), GNTST_general_error);

    table[2].hdr.domid = self;
    __atomic_store_n(&table[2].hdr.flags, GTF_transitive, __ATOMIC_SEQ_CST);
    check_eq(grants_set_version(1), -XEN_ERANGE);                   /* version 1 has no such entries */
    __atomic_store_n(&table[2].hdr.flags, 0, __ATOMIC_SEQ_CST);
    check_eq(grants_set_version(1), 0);
}

void test_main(void)
{
    struct evtchn_status event = { .dom = DOMID_SELF };
    void *page = page_alloc();
    uint64_t own = virt_to_mfn(window);

    event.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &event), 0);
    self = event.u.unbound.dom;
    grants_setup_v1(1);
    require_eq(pt_set(window, 0), 0);
    tables();
    mappings(page);
    caches(page);
    version_2(page);
    require_eq(pt_set(window, pte_make(own, PTE_P | PTE_RW | PTE_US)), 0);
}
