/* @title  the other domain ends while it holds what was granted to it
 * @fact   destroyed, it lets go of its mappings: the granter may end access, and give the reference to nobody; before, Xen
 *         keeps the marks of use in the entry, and the frame as it was agreed on
 * @source xen/common/grant_table.c (gnttab_release_mappings), xen/include/public/grant_table.h (GTF_reading, GTF_writing)
 * @env    pv64 pvh64 arm64 arm32
 *
 * tests/guests/test_two_domains.py runs it, and destroys the taker once it has ended.
 */
#include <guest.h>
#include <grants.h>
#include <window.h>
#include "peer.h"

enum { WRITTEN = 8, READ = 9 };
static char page[PAGE_SIZE] __attribute__((aligned(4096))), text[PAGE_SIZE] __attribute__((aligned(4096)));
static char window[PAGE_SIZE] __attribute__((aligned(4096))), window_ro[PAGE_SIZE] __attribute__((aligned(4096)));

/* End access, as the header says: only while nobody uses the entry. */
static bool end_access(struct grant_entry_v1 *entry)
{
    uint16_t idle = entry->flags & (uint16_t)~(GTF_reading | GTF_writing);

    return __atomic_compare_exchange_n(&entry->flags, &idle, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void give(void)
{
    struct grant_entry_v1 *table = grants_setup_v1(1);
    long port = event_alloc_unbound(peer);

    memcpy(text, "for reading", 12);
    grant_v1(WRITTEN, peer, virt_to_mfn(page), GTF_permit_access);
    grant_v1(READ, peer, virt_to_mfn(text), GTF_permit_access | GTF_readonly);
    require(port > 0);
    tell_port((uint32_t)port);
    wait_for((uint32_t)port);
    check_eq(table[WRITTEN].flags, GTF_permit_access | GTF_reading | GTF_writing);
    check_eq(table[READ].flags, GTF_permit_access | GTF_readonly | GTF_reading);
    check(!end_access(&table[WRITTEN]));
    check(!end_access(&table[READ]));
    require_eq(event_send((uint32_t)port), 0);

    while (READ_ONCE(table[WRITTEN].flags) & GTF_writing)       /* until the host has destroyed the taker */
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(memcmp(page, "the taker's", 12), 0);
    check_eq(table[WRITTEN].flags, GTF_permit_access);
    check_eq(table[READ].flags, GTF_permit_access | GTF_readonly);
    check(end_access(&table[WRITTEN]));
    check(end_access(&table[READ]));
    check_eq(event_send((uint32_t)port), 0);
    check(event_alloc_unbound(peer) > 0);                       /* Xen lets one wait for who is not there */
}

static void take(void)
{
    long port = connect(told_port());

    window_open(window);
    window_open(window_ro);
    require_eq(grant_map(peer, WRITTEN, GNTMAP_host_map, window).status, GNTST_okay);
    require_eq(grant_map(peer, READ, GNTMAP_host_map | GNTMAP_readonly, window_ro).status, GNTST_okay);
    check_eq(memcmp(window_ro, "for reading", 12), 0);
    memcpy(window, "the taker's", 12);
    require_eq(event_send((uint32_t)port), 0);
    wait_for((uint32_t)port);
}

void test_main(void) { peer_main(give, take); }
