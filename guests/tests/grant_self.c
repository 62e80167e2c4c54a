/* @title  grants to self
 * @fact   a domain can grant a frame to itself, map it, see the same memory, and unmap it; wrong references, rights and
 *         handles have their statuses
 * @source xen/include/public/grant_table.h
 * @env    pv64 pv64low
 */
#include <guest.h>
#include <grants.h>

static char window[4096] __attribute__((aligned(4096)));

static domid_t own_domid(void)
{
    struct evtchn_status status = { .dom = DOMID_SELF };

    status.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    return status.u.unbound.dom;
}

void test_main(void)
{
    enum { REF = 8, REF_RO = 9 };
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    struct grant_entry_v1 *table;
    char *page = page_alloc();
    uint64_t mfn = virt_to_mfn(page), own = virt_to_mfn(window);
    domid_t self = own_domid();

    require_eq(hcall(grant_table_op, GNTTABOP_query_size, &size, 1), 0);
    check_eq(size.status, GNTST_okay);
    check(size.max_nr_frames >= 4);
    table = grants_setup_v1(1);

    /* An entry that grants nothing. */
    check_eq(grant_map(self, REF, GNTMAP_host_map, window).status, GNTST_general_error);

    grant_v1(REF, self, mfn, GTF_permit_access);
    grant_v1(REF_RO, self, mfn, GTF_permit_access | GTF_readonly);
    page[3] = 'g';
    require_eq(pt_set(window, 0), 0);

    /* A granter is named by its number, oneself too. */
    check_eq(grant_map(DOMID_SELF, REF, GNTMAP_host_map, window).status, GNTST_bad_domain);
    struct gnttab_map_grant_ref op = grant_map(self, REF, GNTMAP_host_map, window);
    require_eq(op.status, GNTST_okay);
    check_eq(READ_ONCE(window[3]), 'g');
    WRITE_ONCE(window[3], 'G');
    check_eq(page[3], 'G');
    check(table[REF].flags & GTF_reading);
    check(table[REF].flags & GTF_writing);
    check_eq(op.dev_bus_addr >> PAGE_SHIFT, mfn);

    check_eq(grant_unmap(op.handle, window), GNTST_okay);
    check(!(table[REF].flags & (GTF_reading | GTF_writing)));
    check_eq(*pt_entry(window, 1) & PTE_P, 0);
    check_eq(grant_unmap(op.handle, window), GNTST_bad_handle);
    check_eq(grant_unmap(12345, window), GNTST_bad_handle);

    /* Read-only. */
    op = grant_map(self, REF_RO, GNTMAP_host_map | GNTMAP_readonly, window);
    require_eq(op.status, GNTST_okay);
    check(!(table[REF_RO].flags & GTF_writing));
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("movb $1, (%0)") : : "r"(window) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    check_eq(grant_unmap(op.handle, window), GNTST_okay);
    check_eq(grant_map(self, REF_RO, GNTMAP_host_map, window).status, GNTST_general_error);

    /* Wrong in other ways. */
    check_eq(grant_map(self, 0x7fffffff, GNTMAP_host_map, window).status, GNTST_bad_gntref);
    check_eq(grant_map(0x7000, REF, GNTMAP_host_map, window).status, GNTST_bad_domain);
    check_eq(grant_map(self, REF, 0, window).status, GNTST_bad_gntref);
    check(grant_map(self, REF, GNTMAP_host_map, (void *)0x0000300000000000).status < 0);
    grant_v1(REF, 0, mfn, GTF_permit_access);
    check_eq(grant_map(self, REF, GNTMAP_host_map, window).status, GNTST_general_error);
    grant_v1(REF, self, 0x7ffffff, GTF_permit_access);
    check(grant_map(self, REF, GNTMAP_host_map, window).status < 0);
    grant_v1(REF, 0, 0, GTF_invalid);

    check_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, BAD_POINTER, 1), -XEN_EFAULT);
    check_eq(hcall(grant_table_op, 99, &op, 1), -XEN_ENOSYS);
    check_eq(pt_set(window, pte_make(own, PTE_P | PTE_RW | PTE_US)), 0);
}
