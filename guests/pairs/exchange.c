/* @title  two domains
 * @fact   a connection carries events both ways, granted frames are shared or copied as granted, and nothing else of
 *         the other domain can be reached
 * @source xen/include/public/event_channel.h, grant_table.h
 * @env    pv64
 *
 * Run as two domains: domain 1 gives (role=1), domain 2 takes (role=2). tests/guests/test_two_domains.py does.
 */
#include <guest.h>
#include <grants.h>

enum { GIVER = 1, TAKER = 2, ROUNDS = 50 };
enum { FIRST_PORT = 3 };             /* behind the ports of the store and the console */
enum { SHARED = 8, READ_ONLY = 9, NOT_GIVEN = 10, SECRET = 11 };

struct page {
    volatile uint64_t ping, pong, secret_mfn;
};
static char window[4096] __attribute__((aligned(4096))), window_ro[4096] __attribute__((aligned(4096)));

static void wait_for(uint32_t port)
{
    require_eq(event_poll(port, 0), 0);
    check(event_pending(port));
    event_clear(port);
}

static void give(void)
{
    struct grant_entry_v1 *table = grants_setup_v1(1);
    struct page *page = page_alloc();
    char *text = page_alloc(), *secret = page_alloc();
    long port;

    memcpy(text, "given to read", 14);
    page->secret_mfn = virt_to_mfn(secret);
    grant_v1(SHARED, TAKER, virt_to_mfn(page), GTF_permit_access);
    grant_v1(READ_ONLY, TAKER, virt_to_mfn(text), GTF_permit_access | GTF_readonly);
    grant_v1(SECRET, 9, virt_to_mfn(secret), GTF_permit_access);     /* for somebody else */
    port = event_alloc_unbound(TAKER);
    require_eq(port, FIRST_PORT);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        wait_for((uint32_t)port);
        require_eq(page->ping, round);
        page->pong = 3 * round;
        require_eq(event_send((uint32_t)port), 0);
    }
    wait_for((uint32_t)port);
    check_eq(table[SHARED].flags, GTF_permit_access);
    check_eq(table[READ_ONLY].flags, GTF_permit_access | GTF_readonly);
    check_eq(text[0], 'g');
    check_eq(secret[0], 0);
}

static struct gnttab_map_grant_ref map(uint32_t ref, unsigned flags, void *at)
{
    struct gnttab_map_grant_ref op = { .host_addr = (uint64_t)at, .flags = flags, .ref = ref, .dom = GIVER };

    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &op, 1), 0);
    return op;
}

static void unmap(uint32_t handle, void *at)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = (uint64_t)at, .handle = handle };

    require_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
}

static int copy_from(uint32_t ref, void *to)
{
    struct gnttab_copy op = { .len = 14, .flags = GNTCOPY_source_gref };

    op.source.u.ref = ref;
    op.source.domid = GIVER;
    op.dest.u.gmfn = virt_to_mfn(to);
    op.dest.domid = DOMID_SELF;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

static long connect(void)
{
    long port;

    while ((port = event_bind_interdomain(GIVER, FIRST_PORT)) == -XEN_EINVAL)
        hcall(sched_op, SCHEDOP_yield, 0);
    require(port > 0);
    check(event_pending((uint32_t)port));    /* what may have been lost before */
    event_clear((uint32_t)port);
    return port;
}

/* The other's tables are its own business. */
static void foreign_tables(void)
{
    struct gnttab_query_size size = { .dom = GIVER };
    struct gnttab_get_version version = { .dom = GIVER };
    struct evtchn_status status = { .dom = GIVER, .port = FIRST_PORT };
    struct evtchn_reset reset = { .dom = GIVER };
    struct evtchn_alloc_unbound unbound = { .dom = GIVER, .remote_dom = TAKER };

    require_eq(hcall(grant_table_op, GNTTABOP_query_size, &size, 1), 0);
    check_eq(size.status, GNTST_permission_denied);
    check_eq(hcall(grant_table_op, GNTTABOP_get_version, &version, 1), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_status, &status), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_reset, &reset), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_alloc_unbound, &unbound), -XEN_EPERM);
}

static void take(void)
{
    struct page *page = (struct page *)window;
    uint64_t own = virt_to_mfn(window), own_ro = virt_to_mfn(window_ro);
    char *copy = page_alloc();
    long port = connect();
    struct gnttab_map_grant_ref shared, text;

    require_eq(pt_set(window, 0), 0);
    require_eq(pt_set(window_ro, 0), 0);
    shared = map(SHARED, GNTMAP_host_map, window);
    require_eq(shared.status, GNTST_okay);
    check_eq(map(READ_ONLY, GNTMAP_host_map, window_ro).status, GNTST_general_error);
    text = map(READ_ONLY, GNTMAP_host_map | GNTMAP_readonly, window_ro);
    require_eq(text.status, GNTST_okay);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        page->ping = round;
        require_eq(event_send((uint32_t)port), 0);
        wait_for((uint32_t)port);
        require_eq(page->pong, 3 * round);
    }
    check_eq(memcmp(window_ro, "given to read", 14), 0);
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("movb $1, (%0)") : : "r"(window_ro) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    check_eq(copy_from(READ_ONLY, copy), GNTST_okay);
    check_eq(memcmp(copy, "given to read", 14), 0);

    /* What was not given stays out of reach, its number known or not. */
    check_eq(map(NOT_GIVEN, GNTMAP_host_map, window).status, GNTST_general_error);
    check_eq(map(SECRET, GNTMAP_host_map, window).status, GNTST_general_error);
    check_eq(copy_from(SECRET, copy), GNTST_general_error);
    check(pt_set(copy, pte_make(page->secret_mfn, PTE_P | PTE_RW | PTE_US)) != 0);
    check(pt_set(copy, pte_make(page->secret_mfn, PTE_P | PTE_US)) != 0);
    check(event_bind_interdomain(GIVER, FIRST_PORT) == -XEN_EINVAL);
    check(event_bind_interdomain(GIVER, 1) == -XEN_EINVAL);     /* its store's port */
    foreign_tables();

    unmap(shared.handle, window);
    unmap(text.handle, window_ro);
    require_eq(pt_set(window, pte_make(own, PTE_P | PTE_RW | PTE_US)), 0);
    require_eq(pt_set(window_ro, pte_make(own_ro, PTE_P | PTE_RW | PTE_US)), 0);
    require_eq(event_send((uint32_t)port), 0);
}

void test_main(void)
{
    if (guest_option("role", 0) == GIVER)
        give();
    else if (guest_option("role", 0) == TAKER)
        take();
    else
        skip("one half of a pair: role=1 or role=2 is wanted");
}
