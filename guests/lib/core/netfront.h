/* netfront.h - a minimal driver of PV network interfaces (xen/include/public/io/netif.h). */
#ifndef GUEST_NETFRONT_H
#define GUEST_NETFRONT_H
#include <stdbool.h>
#include <stdint.h>
#include <xenbus.h>
#include <abi/io/netif.h>

enum { NET_BUFFERS = 8 };

struct netfront {
    char tx_page[4096] __attribute__((aligned(4096)));
    char rx_page[4096] __attribute__((aligned(4096)));
    char buffer[NET_BUFFERS][4096];
    char out[4096];
    struct xenbus bus;
    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
    grant_ref_t tx_ref, rx_ref, out_ref, buffer_ref[NET_BUFFERS];
    uint32_t port;                /* of both directions */
};

/* Connect, with all buffers posted; the back end's state then. */
unsigned net_connect(struct netfront *n);
/* Say goodbye; the back end's state then. */
unsigned net_close(struct netfront *n);
/* Put a slot into the transmit ring. */
void net_put(struct netfront *n, const void *slot);
/* Show what was put, send the event. */
void net_kick(struct netfront *n);
/* The next transmit response. False: none came. */
bool net_answer(struct netfront *n, struct netif_tx_response *response);
/* Send a frame of one page at most, from an offset of the page; flags NETTXF_*. NETIF_RSP_*. */
int net_send(struct netfront *n, const void *frame, unsigned length, unsigned flags);
/* The next frame that comes, which is good until the next call; NULL: none within about 1 ms. */
const void *net_receive(struct netfront *n, unsigned *length);

#endif
