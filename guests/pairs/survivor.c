/* @title  the other domain ends
 * @fact   who has mapped a granted frame keeps it when its owner is destroyed, until it is unmapped; the connection is then
 *         one to nobody, on which sending is lost, and new grants and connections are refused
 * @source xen/common/event_channel.c (close, send), xen/common/grant_table.c, xen/common/domain.c (domain_kill)
 * @env    pv64 pvh64 arm64 arm32
 *
 * tests/guests/test_two_domains.py runs it, and destroys the giver once it has ended.
 */
#include <guest.h>
#include <grants.h>
#include <window.h>
#include "peer.h"

enum { SHARED = 8, OTHER = 9 };
static char page[PAGE_SIZE] __attribute__((aligned(4096))), window[PAGE_SIZE] __attribute__((aligned(4096)));

static void give(void)
{
    long port = event_alloc_unbound(peer);

    memcpy(page, "it stays", 9);
    grants_setup_v1(1);
    grant_v1(SHARED, peer, virt_to_mfn(page), GTF_permit_access);
    grant_v1(OTHER, peer, virt_to_mfn(page), GTF_permit_access);
    require(port > 0);
    tell_port((uint32_t)port);
    wait_for((uint32_t)port);
}

static uint32_t status_of(uint32_t port)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

    require_eq(hcall(event_channel_op, EVTCHNOP_status, &op), 0);
    return op.status;
}

static void take(void)
{
    uint32_t remote = told_port(), port = (uint32_t)connect(remote);
    struct gnttab_map_grant_ref shared;

    window_open(window);
    shared = grant_map(peer, SHARED, GNTMAP_host_map, window);
    require_eq(shared.status, GNTST_okay);
    check_eq(status_of(port), EVTCHNSTAT_interdomain);
    require_eq(event_send(port), 0);
    while (status_of(port) == EVTCHNSTAT_interdomain)     /* until the host has destroyed it */
        hcall(sched_op, SCHEDOP_yield, 0);

    check_eq(status_of(port), EVTCHNSTAT_unbound);
    check_eq(event_send(port), 0);
    check(event_bind_interdomain(peer, remote) < 0);
    check_eq(memcmp(window, "it stays", 9), 0);
    window[0] = 'I';
    check_eq(window[0], 'I');
    check_eq(grant_map(peer, OTHER, GNTMAP_host_map, window).status, GNTST_bad_domain);
    check_eq(grant_copy_from(peer, OTHER, page, 9), GNTST_bad_domain);
    check_eq(grant_unmap(shared.handle, window), GNTST_okay);
    window_close(window);
}

void test_main(void) { peer_main(give, take); }
