/* @title  streams of bytes between two domains of two vcpus each
 * @fact   rings in a granted page and an event channel each carry bytes both ways at once, one vcpu of a domain writing and
 *         the other reading; who closes its port leaves the other one unbound, on which sending is lost
 * @source xen/include/public/event_channel.h, xen/common/event_channel.c (close), grant_table.h
 * @env    pv64 pvh64 pvh32 arm64 arm32
 * @vcpus  2
 *
 * tests/guests/test_two_domains.py runs it.
 */
#include <guest.h>
#include <grants.h>
#include <window.h>
#include "peer.h"

enum { SHARED = 8, RING = 256, BYTES = 5000, TO_GIVER = 0, TO_TAKER = 1, STREAMS = 2 };
enum { CLOSED = 1, AGAIN = 2 };                 /* the giver has seen the taker close its port; it is connected again */

/* Counts of bytes, which wrap; the place of byte n is n % RING. */
struct ring {
    uint32_t written, read, port;               /* port: the giver's */
    uint32_t step;                              /* of the first ring: CLOSED, AGAIN */
    uint8_t bytes[RING];
};
static struct ring given[STREAMS] __attribute__((aligned(4096)));
static char window[PAGE_SIZE] __attribute__((aligned(4096)));
static struct ring *rings;
static uint32_t ports[STREAMS];
static unsigned writer_done;

static uint8_t byte_of(unsigned stream, uint32_t n) { return (uint8_t)(n * 7 + n / RING + 100 * stream); }

/* What of the ring is full, or free, after waiting until some is. An event that comes after the look ends the wait. */
static uint32_t await(struct ring *ring, uint32_t port, bool full)
{
    for (;;) {
        uint32_t used, amount;

        event_clear(port);
        used = __atomic_load_n(&ring->written, __ATOMIC_SEQ_CST) - __atomic_load_n(&ring->read, __ATOMIC_SEQ_CST);
        require(used <= RING);
        amount = full ? used : RING - used;
        if (amount)
            return amount;
        require_eq(event_poll(port, 0), 0);
    }
}

static void write_stream(void *which)
{
    unsigned stream = (unsigned)(unsigned long)which;
    struct ring *ring = &rings[stream];
    uint32_t n = 0;

    while (n < BYTES) {
        uint32_t room = await(ring, ports[stream], false);

        for (; room && n < BYTES; room--, n++)
            ring->bytes[n % RING] = byte_of(stream, n);
        __atomic_store_n(&ring->written, n, __ATOMIC_SEQ_CST);
        require_eq(event_send(ports[stream]), 0);
    }
    __atomic_store_n(&writer_done, 1, __ATOMIC_SEQ_CST);
}

static void read_stream(unsigned stream)
{
    struct ring *ring = &rings[stream];
    uint32_t n = 0;

    while (n < BYTES) {
        uint32_t there = await(ring, ports[stream], true);

        for (; there; there--, n++)
            require_eq(ring->bytes[n % RING], byte_of(stream, n));
        __atomic_store_n(&ring->read, n, __ATOMIC_SEQ_CST);
        require_eq(event_send(ports[stream]), 0);
    }
    check_eq(n, BYTES);
}

/* Vcpu 1 writes one stream, vcpu 0 reads the other one. */
static void both_ways(unsigned writes)
{
    require_eq(vcpu_start(1, write_stream, (void *)(unsigned long)writes), 0);
    read_stream(1 - writes);
    while (!__atomic_load_n(&writer_done, __ATOMIC_SEQ_CST))
        hcall(sched_op, SCHEDOP_yield, 0);
}

static uint32_t status_of(uint32_t port, domid_t *remote)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

    require_eq(hcall(event_channel_op, EVTCHNOP_status, &op), 0);
    *remote = op.u.unbound.dom;
    return op.status;
}

/* The port is open yet, for the same domain to come again. */
static void await_close(uint32_t port)
{
    domid_t remote;

    while (status_of(port, &remote) == EVTCHNSTAT_interdomain)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(status_of(port, &remote), EVTCHNSTAT_unbound);
    check_eq(remote, peer);
    check_eq(event_send(port), 0);
}

static void await_step(uint32_t step)
{
    while (__atomic_load_n(&rings->step, __ATOMIC_SEQ_CST) != step)
        hcall(sched_op, SCHEDOP_yield, 0);
}

static void give(void)
{
    domid_t remote;

    grants_setup_v1(1);
    rings = given;
    for (unsigned i = 0; i < STREAMS; i++) {
        long port = event_alloc_unbound(peer);

        require(port > 0);
        ports[i] = rings[i].port = (uint32_t)port;
    }
    grant_v1(SHARED, peer, virt_to_mfn(given), GTF_permit_access);
    tell_port(ports[TO_GIVER]);
    both_ways(TO_TAKER);
    await_close(ports[TO_GIVER]);
    __atomic_store_n(&rings->step, CLOSED, __ATOMIC_SEQ_CST);
    await_step(AGAIN);
    check_eq(status_of(ports[TO_GIVER], &remote), EVTCHNSTAT_interdomain);
    check_eq(event_close(ports[TO_TAKER]), 0);
    check_eq(event_close(ports[TO_TAKER]), -XEN_EINVAL);
    check_eq(status_of(ports[TO_TAKER], &remote), EVTCHNSTAT_closed);
}

static void take(void)
{
    uint32_t remote = told_port();
    struct gnttab_map_grant_ref shared;

    window_open(window);
    shared = grant_map(peer, SHARED, GNTMAP_host_map, window);
    require_eq(shared.status, GNTST_okay);
    rings = (struct ring *)window;
    check_eq(rings[TO_GIVER].port, remote);
    for (unsigned i = 0; i < STREAMS; i++)
        ports[i] = (uint32_t)connect(rings[i].port);
    both_ways(TO_GIVER);
    check_eq(event_close(ports[TO_GIVER]), 0);
    check_eq(event_send(ports[TO_GIVER]), -XEN_EINVAL);
    await_step(CLOSED);
    ports[TO_GIVER] = (uint32_t)connect(remote);
    __atomic_store_n(&rings->step, AGAIN, __ATOMIC_SEQ_CST);
    await_close(ports[TO_TAKER]);
    check_eq(grant_unmap(shared.handle, window), GNTST_okay);
    window_close(window);
}

void test_main(void) { peer_main(give, take); }
