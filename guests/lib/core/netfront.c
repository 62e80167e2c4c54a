/* netfront.c - a minimal driver of PV network interfaces. */
#include <guest.h>
#include <netfront.h>

enum { OUT_OFFSET = 256, PATIENCE = 20 };

static void post(struct netfront *n, unsigned buffer)
{
    struct netif_rx_request request = { .id = (uint16_t)buffer, .gref = n->buffer_ref[buffer] };

    n->rx.sring->ring[n->rx.req_prod_pvt++ & (n->rx.nr_ents - 1)].req = request;
    __atomic_store_n(&n->rx.sring->req_prod, n->rx.req_prod_pvt, __ATOMIC_SEQ_CST);
}

unsigned net_connect(struct netfront *n)
{
    unsigned state;

    memset(n->tx_page, 0, sizeof(n->tx_page));
    memset(n->rx_page, 0, sizeof(n->rx_page));
    n->tx = (struct netif_tx_front_ring){ .nr_ents = CONST_RING_SIZE(netif_tx, 4096), .sring = (void *)n->tx_page };
    n->rx = (struct netif_rx_front_ring){ .nr_ents = CONST_RING_SIZE(netif_rx, 4096), .sring = (void *)n->rx_page };
    n->tx.sring->rsp_event = n->tx.sring->req_event = n->rx.sring->rsp_event = n->rx.sring->req_event = 1;
    if (n->tx_ref == 0) {
        n->tx_ref = xenbus_grant(n->tx_page, false);
        n->rx_ref = xenbus_grant(n->rx_page, false);
        n->out_ref = xenbus_grant(n->out, true);
        for (unsigned i = 0; i < NET_BUFFERS; i++)
            n->buffer_ref[i] = xenbus_grant(n->buffer[i], false);
    }
    for (unsigned i = 0; i < NET_BUFFERS; i++)
        post(n, i);
    n->port = xenbus_channel();
    xenbus_set(&n->bus, "tx-ring-ref", "%u", n->tx_ref);
    xenbus_set(&n->bus, "rx-ring-ref", "%u", n->rx_ref);
    xenbus_set(&n->bus, "event-channel", "%u", n->port);
    xenbus_set(&n->bus, "request-rx-copy", "%u", 1);
    state = xenbus_state(&n->bus, XenbusStateConnected);
    event_clear(n->port);
    return state;
}

unsigned net_close(struct netfront *n)
{
    return xenbus_close(&n->bus, n->port);
}

void net_put(struct netfront *n, const void *slot)
{
    memcpy(&n->tx.sring->ring[n->tx.req_prod_pvt++ & (n->tx.nr_ents - 1)], slot, sizeof(n->tx.sring->ring[0]));
}

void net_kick(struct netfront *n)
{
    __atomic_store_n(&n->tx.sring->req_prod, n->tx.req_prod_pvt, __ATOMIC_SEQ_CST);
    event_send(n->port);
}

static void wait(struct netfront *n)
{
    event_poll(n->port, clock_ns() + 50000);
    event_clear(n->port);
}

bool net_answer(struct netfront *n, struct netif_tx_response *response)
{
    for (int turn = 0; READ_ONCE(n->tx.sring->rsp_prod) == n->tx.rsp_cons; turn++) {
        if (turn == PATIENCE)
            return false;
        wait(n);
    }
    *response = n->tx.sring->ring[n->tx.rsp_cons++ & (n->tx.nr_ents - 1)].rsp;
    n->tx.sring->rsp_event = n->tx.rsp_cons + 1;
    return true;
}

int net_send(struct netfront *n, const void *frame, unsigned length, unsigned flags)
{
    struct netif_tx_request request = { .gref = n->out_ref, .offset = OUT_OFFSET, .flags = (uint16_t)flags, .id = 9,
                                        .size = (uint16_t)length };
    struct netif_tx_response response;

    memcpy(n->out + OUT_OFFSET, frame, length);
    net_put(n, &request);
    net_kick(n);
    if (!net_answer(n, &response))
        fail("the back end does not take a frame");
    check_eq(response.id, 9);
    return response.status;
}

const void *net_receive(struct netfront *n, unsigned *length)
{
    static char taken[4096];
    struct netif_rx_response response;

    for (int turn = 0; READ_ONCE(n->rx.sring->rsp_prod) == n->rx.rsp_cons; turn++) {
        if (turn == PATIENCE)
            return NULL;
        wait(n);
    }
    response = n->rx.sring->ring[n->rx.rsp_cons++ & (n->rx.nr_ents - 1)].rsp;
    n->rx.sring->rsp_event = n->rx.rsp_cons + 1;
    require(response.status >= 0 && response.offset + response.status <= 4096 && response.id < NET_BUFFERS);
    memcpy(taken, n->buffer[response.id] + response.offset, (unsigned)response.status);
    *length = (unsigned)response.status;
    post(n, response.id);
    event_send(n->port);
    return taken;
}
