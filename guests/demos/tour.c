/* @title  a tour of the hypervisor
 * @fact   each round grants a frame to itself, maps it and lets it go, sends itself an event, writes to xenstore, changes
 *         page-table entries, takes a page fault, and sleeps until a timer
 * @source xen/include/public/{grant_table,event_channel,xen}.h
 * @env    pv64 arm64 arm32
 *
 * The guest of the debugger's documentation and tests. Command line: rounds=N (default 20).
 */
#include <guest.h>
#include <grants.h>
#include <store.h>
#include "tour.h"

enum { REF = 8, MS = 1000000 };
/* Never inlined: breakpoints are set on them. */
#define STEP __attribute__((noinline))

static char window[4096] __attribute__((aligned(4096)));
uint64_t tour_round;                  /* for watchpoints: written once a round */
static unsigned events, ticks;

static void on_event(uint32_t port)
{
    (void)port;
    events++;
}

static void on_tick(uint32_t port)
{
    (void)port;
    ticks++;
}

static domid_t own_domid(void)
{
    struct evtchn_status status = { .dom = DOMID_SELF };

    status.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    require_eq(event_close(status.port), 0);
    return status.u.unbound.dom;
}

/* Map the granted page in the window, write through it, and unmap it. */
STEP void tour_grant(domid_t self, volatile char *page)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = (unsigned long)window, .flags = GNTMAP_host_map, .ref = REF, .dom = self,
    };
    struct gnttab_unmap_grant_ref unmap = { .host_addr = (unsigned long)window };

    tour_window_open(window);
    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    require_eq(map.status, GNTST_okay);
    WRITE_ONCE(window[0], (char)tour_round);
    check_eq(page[0], (char)tour_round);
    unmap.handle = map.handle;
    require_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    require_eq(unmap.status, GNTST_okay);
    tour_window_close(window);
}

STEP void tour_event(uint32_t port)
{
    unsigned before = events;

    require_eq(event_send(port), 0);
    check_eq(READ_ONCE(events), before + 1);
}

STEP void tour_store(void)
{
    char text[32];

    snprintf(text, sizeof text, "round %lu", (unsigned long)tour_round);
    require(store_write(0, "data/tour", text));
}

/* Make a page read-only, be refused a store, and make it writable again. */
STEP void tour_page_table(char *page)
{
    require_eq(page_readonly(page), 0);
    tour_refused_store(page);
    require_eq(page_writable(page), 0);
    page[0] = (char)tour_round;
}

STEP void tour_sleep(void)
{
    unsigned before = ticks;

    tour_timer_set(MS);
    while (READ_ONCE(ticks) == before)
        tour_wait();
    events_enable();
}

void test_main(void)
{
    uint64_t rounds = guest_option("rounds", 20);
    char *page = page_alloc(), *other = page_alloc();
    domid_t self = own_domid();
    long port;

    require(store_init());
    grants_setup_v1(1);
    grant_v1(REF, self, virt_to_mfn(page), GTF_permit_access);
    port = event_bind_ipi(0);
    require(port > 0);
    event_watch((uint32_t)port, on_event);
    tour_timer(on_tick);
    events_enable();
    for (uint64_t round = 1; round <= rounds; round++) {
        WRITE_ONCE(tour_round, round);
        tour_grant(self, page);
        tour_event((uint32_t)port);
        tour_store();
        tour_page_table(other);
        tour_sleep();
        printf("round %lu\n", (unsigned long)round);
    }
}
