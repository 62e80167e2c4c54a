/* netif.h - requests of the PV network device. Facts: xen/include/public/io/netif.h. tx is from the guest. */
#ifndef XEN_PUBLIC_IO_NETIF_H
#define XEN_PUBLIC_IO_NETIF_H

#include "../grant_table.h"
#include "ring.h"

#define NETTXF_csum_blank     (1 << 0)   /* the checksum is still to be computed */
#define NETTXF_data_validated (1 << 1)
#define NETTXF_more_data      (1 << 2)   /* the packet goes on in the next request */
#define NETTXF_extra_info     (1 << 3)   /* netif_extra_info follow */
#define XEN_NETIF_MAX_TX_SIZE 0xFFFF

struct netif_tx_request {
    grant_ref_t gref;
    uint16_t offset;
    uint16_t flags;               /* NETTXF_* */
    uint16_t id;
    uint16_t size;                /* of the whole packet in its first request, of the fragment in others */
};
typedef struct netif_tx_request netif_tx_request_t;

struct netif_tx_response {
    uint16_t id;
    int16_t status;               /* NETIF_RSP_* */
};
typedef struct netif_tx_response netif_tx_response_t;

struct netif_rx_request {
    uint16_t id;
    uint16_t pad;
    grant_ref_t gref;
};
typedef struct netif_rx_request netif_rx_request_t;

#define NETRXF_data_validated (1 << 0)
#define NETRXF_csum_blank     (1 << 1)
#define NETRXF_more_data      (1 << 2)
#define NETRXF_extra_info     (1 << 3)
#define NETRXF_gso_prefix     (1 << 4)
struct netif_rx_response {
    uint16_t id;
    uint16_t offset;
    uint16_t flags;               /* NETRXF_* */
    int16_t status;               /* bytes received, or NETIF_RSP_* below 0 */
};
typedef struct netif_rx_response netif_rx_response_t;

#define NETIF_RSP_DROPPED (-2)
#define NETIF_RSP_ERROR   (-1)
#define NETIF_RSP_OKAY    0
#define NETIF_RSP_NULL    1

#define XEN_NETIF_EXTRA_TYPE_NONE      0
#define XEN_NETIF_EXTRA_TYPE_GSO       1
#define XEN_NETIF_EXTRA_TYPE_MCAST_ADD 2
#define XEN_NETIF_EXTRA_TYPE_MCAST_DEL 3
#define XEN_NETIF_EXTRA_TYPE_HASH      4
#define XEN_NETIF_EXTRA_TYPE_XDP       5
#define XEN_NETIF_EXTRA_FLAG_MORE      (1 << 0)
#define XEN_NETIF_GSO_TYPE_NONE        0
#define XEN_NETIF_GSO_TYPE_TCPV4       1
#define XEN_NETIF_GSO_TYPE_TCPV6       2

/* Takes the place of a request or response behind one with an extra_info flag. */
struct netif_extra_info {
    uint8_t type;                 /* XEN_NETIF_EXTRA_TYPE_* */
    uint8_t flags;                /* XEN_NETIF_EXTRA_FLAG_* */
    union {
        struct {
            uint16_t size;
            uint8_t type;         /* XEN_NETIF_GSO_TYPE_* */
            uint8_t pad;
            uint16_t features;
        } gso;
        struct {
            uint8_t addr[6];
        } mcast;
        struct {
            uint8_t type;
            uint8_t algorithm;
            uint8_t value[4];
        } hash;
        struct {
            uint16_t headroom;
            uint16_t pad[2];
        } xdp;
        uint16_t pad[3];
    } u;
};
typedef struct netif_extra_info netif_extra_info_t;

DEFINE_RING_TYPES(netif_tx, struct netif_tx_request, struct netif_tx_response);
DEFINE_RING_TYPES(netif_rx, struct netif_rx_request, struct netif_rx_response);

#endif
