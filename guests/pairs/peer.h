/* peer.h - two guests that know each other: one gives (role=1 on its command line), one takes (role=2). `self` and `peer` are
 * the numbers of its own domain and of the other. */
#ifndef GUEST_PAIRS_PEER_H
#define GUEST_PAIRS_PEER_H
#include <guest.h>
#include <store.h>
#include <abi/io/xs_wire.h>

static domid_t self, peer;
static char port_node[40];              /* of the giver, in xenstore: the number of its port */

/* The other's event, which is taken. */
static inline void wait_for(uint32_t port)
{
    require_eq(event_poll(port, 0), 0);
    check(event_pending(port));
    event_clear(port);
}

/* The taker reads the number of the port in xenstore. */
static void tell_port(uint32_t port)
{
    char owner[8], reader[8], number[16], answer[STORE_MAX];
    const char *rights[] = { port_node, owner, reader };

    snprintf(owner, sizeof(owner), "n%u", self);
    snprintf(reader, sizeof(reader), "r%u", peer);
    snprintf(number, sizeof(number), "%u", port);
    require(store_init());
    require(store_write(0, port_node, number));
    require(store_request(XS_SET_PERMS, 0, rights, ARRAY_SIZE(rights), answer) >= 0);
}

static uint32_t told_port(void)
{
    char answer[STORE_MAX];
    uint32_t port = 0;

    require(store_init());
    while (store_read(0, port_node, answer) < 0)     /* it is not there, or not for us yet */
        hcall(sched_op, SCHEDOP_yield, 0);
    for (const char *digit = answer; *digit >= '0' && *digit <= '9'; digit++)
        port = 10 * port + (uint32_t)(*digit - '0');
    return port;
}

static long connect(uint32_t remote)
{
    long port = event_bind_interdomain(peer, remote);

    require(port > 0);
    check(event_pending((uint32_t)port));    /* what may have been lost before */
    event_clear((uint32_t)port);
    return port;
}

/* What test_main() does. */
static void peer_main(void (*give)(void), void (*take)(void))
{
    enum { GIVER = 1, TAKER = 2 };
    uint64_t role = guest_option("role", 0);

    self = (domid_t)guest_option("self", 0);
    peer = (domid_t)guest_option("peer", 0);
    if (role != GIVER && role != TAKER)
        skip("one half of a pair: role=1 or role=2 is wanted, self=, and peer=");
    snprintf(port_node, sizeof(port_node), "/local/domain/%u/data/port", role == GIVER ? self : peer);
    if (role == GIVER)
        give();
    else
        take();
}

#endif
