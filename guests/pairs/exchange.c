/* @title  two domains
 * @fact   a connection carries events both ways, granted frames are shared or copied as granted, and nothing else of
 *         the other domain can be reached; whatever kinds of domain the two are
 * @source xen/include/public/event_channel.h, grant_table.h
 * @env    pv64 pvh64 hvm64 pvh32 arm64 arm32
 *
 * tests/guests/test_two_domains.py runs it.
 */
#include <guest.h>
#include <grants.h>
#include <window.h>
#include "peer.h"

enum { ROUNDS = 50 };
enum { SHARED = 8, READ_ONLY = 9, NOT_GIVEN = 10, SECRET = 11 };

struct page {
    volatile uint64_t ping, pong, secret_frame;
};
static char window[PAGE_SIZE] __attribute__((aligned(4096))), window_ro[PAGE_SIZE] __attribute__((aligned(4096)));
static char given[PAGE_SIZE] __attribute__((aligned(4096))), text[PAGE_SIZE] __attribute__((aligned(4096)));
static char secret[PAGE_SIZE] __attribute__((aligned(4096)));

static void give(void)
{
    struct grant_entry_v1 *table = grants_setup_v1(1);
    struct page *page = (struct page *)given;
    long port;

    memcpy(text, "given to read", 14);
    page->secret_frame = virt_to_mfn(secret);
    grant_v1(SHARED, peer, virt_to_mfn(page), GTF_permit_access);
    grant_v1(READ_ONLY, peer, virt_to_mfn(text), GTF_permit_access | GTF_readonly);
    grant_v1(SECRET, 9, virt_to_mfn(secret), GTF_permit_access);     /* for somebody else */
    port = event_alloc_unbound(peer);
    require(port > 0);
    tell_port((uint32_t)port);
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

/* The other's tables are its own business. */
static void foreign_tables(uint32_t remote)
{
    struct gnttab_query_size size = { .dom = peer };
    struct gnttab_get_version version = { .dom = peer };
    struct evtchn_status status = { .dom = peer, .port = remote };
    struct evtchn_reset reset = { .dom = peer };
    struct evtchn_alloc_unbound unbound = { .dom = peer, .remote_dom = peer };

    require_eq(hcall(grant_table_op, GNTTABOP_query_size, &size, 1), 0);
    check_eq(size.status, GNTST_permission_denied);
    check_eq(hcall(grant_table_op, GNTTABOP_get_version, &version, 1), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_status, &status), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_reset, &reset), -XEN_EPERM);
    check_eq(hcall(event_channel_op, EVTCHNOP_alloc_unbound, &unbound), -XEN_EPERM);
}

static void write_to(void *at) { *(volatile char *)at = 1; }

static void take(void)
{
    struct page *page = (struct page *)window;
    uint32_t remote = told_port();
    long port = connect(remote);
    struct gnttab_map_grant_ref shared, readable;

    window_open(window);
    window_open(window_ro);
    shared = grant_map(peer, SHARED, GNTMAP_host_map, window);
    require_eq(shared.status, GNTST_okay);
    check_eq(grant_map(peer, READ_ONLY, GNTMAP_host_map, window_ro).status, GNTST_general_error);
    readable = grant_map(peer, READ_ONLY, GNTMAP_host_map | GNTMAP_readonly, window_ro);
    require_eq(readable.status, GNTST_okay);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        page->ping = round;
        require_eq(event_send((uint32_t)port), 0);
        wait_for((uint32_t)port);
        require_eq(page->pong, 3 * round);
    }
    check_eq(memcmp(window_ro, "given to read", 14), 0);
    check_eq(!fault_probe(write_to, window_ro), READ_ONLY_FRAMES_FAULT);
    check_eq(window_ro[0], 'g');
    check_eq(grant_copy_from(peer, READ_ONLY, text, 14), GNTST_okay);
    check_eq(memcmp(text, "given to read", 14), 0);

    /* What was not given stays out of reach, its number known or not. */
    check_eq(grant_map(peer, NOT_GIVEN, GNTMAP_host_map, window).status, GNTST_general_error);
    check_eq(grant_map(peer, SECRET, GNTMAP_host_map, window).status, GNTST_general_error);
    check_eq(grant_copy_from(peer, SECRET, text, 14), GNTST_general_error);
    check(window_steal(text, peer, page->secret_frame) != 0);
    check(event_bind_interdomain(peer, remote) == -XEN_EINVAL);
    check(event_bind_interdomain(peer, 1) == -XEN_EINVAL);     /* its store's port */
    foreign_tables(remote);

    check_eq(grant_unmap(shared.handle, window), GNTST_okay);
    check_eq(grant_unmap(readable.handle, window_ro), GNTST_okay);
    window_close(window);
    window_close(window_ro);
    require_eq(event_send((uint32_t)port), 0);
}

void test_main(void) { peer_main(give, take); }
