/* @title  grant copy
 * @fact   GNTTABOP_copy copies between own frames and granted frames, within pages and rights
 * @source xen/include/public/grant_table.h (gnttab_copy)
 * @env    pv64
 */
#include <guest.h>
#include <grants.h>

static int copy(struct gnttab_copy op)
{
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

static struct gnttab_copy_ptr frame(const void *page, unsigned offset)
{
    struct gnttab_copy_ptr p = { .domid = DOMID_SELF, .offset = (uint16_t)offset };

    p.u.gmfn = virt_to_mfn(page);
    return p;
}

static struct gnttab_copy_ptr ref(domid_t domid, uint32_t number, unsigned offset)
{
    struct gnttab_copy_ptr p = { .domid = domid, .offset = (uint16_t)offset };

    p.u.gmfn = 0;
    p.u.ref = number;
    return p;
}

void test_main(void)
{
    char *from = page_alloc(), *to = page_alloc();
    struct evtchn_status status = { .dom = DOMID_SELF };

    status.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    domid_t self = status.u.unbound.dom;

    for (unsigned i = 0; i < 4096; i++)
        from[i] = (char)i;
    check_eq(copy((struct gnttab_copy){ .source = frame(from, 16), .dest = frame(to, 32), .len = 100 }), GNTST_okay);
    check_eq(memcmp(from + 16, to + 32, 100), 0);
    check_eq(to[31], 0);
    check_eq(to[132], 0);
    /* Not beyond a page. */
    check_eq(copy((struct gnttab_copy){ .source = frame(from, 4000), .dest = frame(to, 0), .len = 97 }),
             GNTST_bad_copy_arg);
    check_eq(copy((struct gnttab_copy){ .source = frame(from, 0), .dest = frame(to, 4090), .len = 7 }),
             GNTST_bad_copy_arg);

    /* By reference. */
    grants_setup_v1(1);
    grant_v1(8, self, virt_to_mfn(to), GTF_permit_access);
    grant_v1(9, self, virt_to_mfn(from), GTF_permit_access | GTF_readonly);
    memset(to, 0, 4096);
    check_eq(copy((struct gnttab_copy){ .source = ref(self, 9, 0), .dest = ref(self, 8, 0), .len = 4096,
                                        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref }), GNTST_okay);
    check_eq(memcmp(from, to, 4096), 0);
    check_eq(copy((struct gnttab_copy){ .source = frame(from, 0), .dest = ref(self, 9, 0), .len = 1,
                                        .flags = GNTCOPY_dest_gref }), GNTST_general_error);
    check_eq(copy((struct gnttab_copy){ .source = ref(self, 0x7ffffff0, 0), .dest = frame(to, 0), .len = 1,
                                        .flags = GNTCOPY_source_gref }), GNTST_bad_gntref);
    check_eq(copy((struct gnttab_copy){ .source = ref(0x7000, 8, 0), .dest = frame(to, 0), .len = 1,
                                        .flags = GNTCOPY_source_gref }), GNTST_bad_domain);

    /* Into a page table: not writable memory. */
    check(copy((struct gnttab_copy){ .source = frame(from, 0), .dest = frame(pt_root(), 0), .len = 8 }) < 0);
}
