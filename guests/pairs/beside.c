/* @title  a domain with rights, beside others
 * @fact   what even a privileged domain is refused of another: its page tables while it has no vcpu, its base pointer,
 *         ports while it is being destroyed, grants through two transitive ones, grant frames that the machine lacks
 * @source xen/arch/x86/mm.c (do_mmu_update, do_mmuext_op), xen/common/event_channel.c, xen/common/grant_table.c
 * @env    pv64
 *
 * tests/guests/pairs.py runs it: first role=2, to its end; then role=1, privileged, beside domain 3, which has no vcpu,
 * is being destroyed and holds every frame that was free.
 */
#include <guest.h>
#include <grants.h>

enum { CALLER = 1, GIVER = 2, EMPTY = 3 };
enum { LINK = 8 };

static void link_to(union grant_entry_v2 *table, domid_t user, domid_t next)
{
    table[LINK].transitive.trans_domid = next;
    table[LINK].transitive.gref = LINK;
    table[LINK].hdr.domid = user;
    __atomic_store_n(&table[LINK].hdr.flags, GTF_permit_access | GTF_transitive, __ATOMIC_SEQ_CST);
}

static void give(void)
{
    require_eq(grants_set_version(2), 0);
    link_to(grants_setup_v2(1), CALLER, CALLER);
}

static void transitive_twice(char *page)
{
    struct gnttab_copy copy = { .len = 8, .flags = GNTCOPY_source_gref };

    require_eq(grants_set_version(2), 0);
    link_to(grants_setup_v2(1), GIVER, GIVER);
    copy.source.u.ref = LINK;
    copy.source.domid = GIVER;
    copy.dest.u.gmfn = virt_to_mfn(page);
    copy.dest.domid = DOMID_SELF;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &copy, 1), 0);
    check_eq(copy.status, GNTST_general_error);
}

static void call(void)
{
    char *page = page_alloc();
    struct mmu_update update = { .ptr = virt_to_mfn(page) << 12, .val = 0 };
    struct mmuext_op base = { .cmd = MMUEXT_NEW_BASEPTR };
    struct evtchn_alloc_unbound unbound = { .dom = EMPTY, .remote_dom = CALLER };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 4 };
    uint64_t frames[4];

    transitive_twice(page);
    check_eq(hcall(mmu_update, &update, 1, 0, (EMPTY + 1) << 16 | DOMID_SELF), -XEN_EINVAL);
    check_eq(hcall(mmuext_op, &base, 1, 0, GIVER), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_alloc_unbound, &unbound), -XEN_EINVAL);
    set_xen_guest_handle(setup.frame_list, frames);
    require_eq(hcall(grant_table_op, GNTTABOP_setup_table, &setup, 1), 0);
    check_eq(setup.status, GNTST_general_error);
}

void test_main(void)
{
    if (guest_option("role", 0) == GIVER)
        give();
    else
        call();
}
