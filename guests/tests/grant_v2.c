/* @title  grant tables, version 2
 * @fact   the version can be switched while nothing is mapped; version 2 has status frames and sub-page grants
 * @source xen/include/public/grant_table.h (GNTTABOP_set_version, grant_entry_v2)
 * @env    pv64
 */
#include <guest.h>
#include <grants.h>

static char window[4096] __attribute__((aligned(4096))), status_page[4096] __attribute__((aligned(4096)));

void test_main(void)
{
    struct gnttab_get_version version = { .dom = DOMID_SELF };
    struct evtchn_status event = { .dom = DOMID_SELF };
    char *page = page_alloc();

    event.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &event), 0);
    domid_t self = event.u.unbound.dom;

    require_eq(hcall(grant_table_op, GNTTABOP_get_version, &version, 1), 0);
    check_eq(version.version, 1);
    check_eq(grants_set_version(3), -XEN_EINVAL);
    check_eq(grants_set_version(0), -XEN_EINVAL);
    if (grants_set_version(2) != 0)
        skip("version 2 is not offered");
    require_eq(hcall(grant_table_op, GNTTABOP_get_version, &version, 1), 0);
    check_eq(version.version, 2);

    union grant_entry_v2 *table = grants_setup_v2(1);
    uint64_t frames[1];
    struct gnttab_get_status_frames get = { .nr_frames = 1, .dom = DOMID_SELF };

    set_xen_guest_handle(get.frame_list, frames);
    require_eq(hcall(grant_table_op, GNTTABOP_get_status_frames, &get, 1), 0);
    require_eq(get.status, GNTST_okay);
    map_frame_at(status_page, frames[0]);
    volatile grant_status_t *status = (grant_status_t *)status_page;

    table[8].full_page.frame = virt_to_mfn(page);
    table[8].hdr.domid = self;
    __atomic_store_n(&table[8].hdr.flags, GTF_permit_access, __ATOMIC_SEQ_CST);
    page[0] = 'v';

    struct gnttab_map_grant_ref map = { .host_addr = (uint64_t)window, .flags = GNTMAP_host_map, .ref = 8, .dom = self };
    uint64_t own = virt_to_mfn(window);
    require_eq(pt_set(window, 0), 0);
    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    require_eq(map.status, GNTST_okay);
    check_eq(READ_ONCE(window[0]), 'v');
    check_eq(status[8], GTF_reading | GTF_writing);
    check_eq(grants_set_version(1), -XEN_EBUSY);

    struct gnttab_unmap_grant_ref unmap = { .host_addr = (uint64_t)window, .handle = map.handle };
    require_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    check_eq(unmap.status, GNTST_okay);
    check_eq(status[8], 0);
    require_eq(pt_set(window, pte_make(own, PTE_P | PTE_RW | PTE_US)), 0);

    /* A part of a page can be copied, not mapped, and nothing outside it. */
    table[9].sub_page.frame = virt_to_mfn(page);
    table[9].sub_page.page_off = 64;
    table[9].sub_page.length = 32;
    table[9].hdr.domid = self;
    __atomic_store_n(&table[9].hdr.flags, GTF_permit_access | GTF_sub_page, __ATOMIC_SEQ_CST);
    map.ref = 9;
    map.host_addr = (uint64_t)window;
    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    check(map.status < 0);

    memcpy(page + 64, "sub-page", 8);
    struct gnttab_copy copy = { .len = 8, .flags = GNTCOPY_source_gref };
    copy.source.u.ref = 9;
    copy.source.domid = self;
    copy.source.offset = 64;
    copy.dest.u.gmfn = own;
    copy.dest.domid = DOMID_SELF;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &copy, 1), 0);
    check_eq(copy.status, GNTST_okay);
    check_eq(memcmp(window, "sub-page", 8), 0);
    copy.source.offset = 60;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &copy, 1), 0);
    check_eq(copy.status, GNTST_general_error);
    check_eq(grants_set_version(1), -XEN_EBUSY);     /* the status frame is still mapped */
    require_eq(pt_set(status_page, 0), 0);
    check_eq(grants_set_version(1), 0);
}
