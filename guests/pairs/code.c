/* @title  code that another domain writes
 * @fact   what a domain writes into a page that it was granted, by its own stores or by GNTTABOP_copy, is what its owner
 *         executes next, whatever kinds of domain the two are
 * @source xen/include/public/grant_table.h; Intel SDM vol. 3A 11.6; Arm DDI 0487, B2.4.4
 * @env    pv64 pvh64 hvm32 arm64 arm32
 *
 * tests/guests/test_two_domains.py runs it. The giver has a function that returns 1 and one that returns 2; the taker knows
 * neither its instructions nor its architecture, and puts now the one, now the other into the page that the giver calls.
 */
#include <guest.h>
#include <grants.h>
#include <window.h>
#include "peer.h"

enum { ROUNDS = 40, CODE = 8, SAMPLES = 9, BYTES = 64 };
static char code[PAGE_SIZE] __attribute__((aligned(4096))), samples[PAGE_SIZE] __attribute__((aligned(4096)));
static char window[PAGE_SIZE] __attribute__((aligned(4096))), window_ro[PAGE_SIZE] __attribute__((aligned(4096)));

static __attribute__((noinline)) unsigned first(void) { return 1; }
static __attribute__((noinline)) unsigned second(void) { return 2; }

static void give(void)
{
    long port;

    memcpy(samples, (const void *)(unsigned long)first, BYTES);
    memcpy(samples + BYTES, (const void *)(unsigned long)second, BYTES);
    code_allow(code);
    grants_setup_v1(1);
    grant_v1(CODE, peer, virt_to_mfn(code), GTF_permit_access);
    grant_v1(SAMPLES, peer, virt_to_mfn(samples), GTF_permit_access | GTF_readonly);
    port = event_alloc_unbound(peer);
    require(port > 0);
    tell_port((uint32_t)port);
    for (unsigned round = 0; round < ROUNDS; round++) {
        wait_for((uint32_t)port);
        code_written(code, BYTES);
        require_eq(((unsigned (*)(void))(unsigned long)code)(), 1 + round % 2);
        require_eq(event_send((uint32_t)port), 0);
    }
    wait_for((uint32_t)port);
}

static void copy_sample(unsigned which)
{
    struct gnttab_copy op = { .len = BYTES, .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref };

    op.source.u.ref = SAMPLES;
    op.source.domid = op.dest.domid = peer;
    op.source.offset = (uint16_t)(which * BYTES);
    op.dest.u.ref = CODE;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &op, 1), 0);
    require_eq(op.status, GNTST_okay);
}

static void take(void)
{
    long port = connect(told_port());
    struct gnttab_map_grant_ref to, from;

    window_open(window);
    window_open(window_ro);
    to = grant_map(peer, CODE, GNTMAP_host_map, window);
    from = grant_map(peer, SAMPLES, GNTMAP_host_map | GNTMAP_readonly, window_ro);
    require_eq(to.status, GNTST_okay);
    require_eq(from.status, GNTST_okay);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round < ROUNDS / 2)
            memcpy(window, window_ro + round % 2 * BYTES, BYTES);
        else
            copy_sample(round % 2);
        require_eq(event_send((uint32_t)port), 0);
        wait_for((uint32_t)port);
    }
    check_eq(grant_unmap(to.handle, window), GNTST_okay);
    check_eq(grant_unmap(from.handle, window_ro), GNTST_okay);
    window_close(window);
    window_close(window_ro);
    require_eq(event_send((uint32_t)port), 0);
}

void test_main(void) { peer_main(give, take); }
