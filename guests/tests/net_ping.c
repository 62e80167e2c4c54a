/* @title  a PV network interface
 * @fact   frames go out and come in, also after the driver has closed and begun again; checksums that are left blank are
 *         filled in; frames that are none are answered with an error, and a frame that does not end breaks the ring
 * @source xen/include/public/io/netif.h
 * @env    pv64 pvh64 arm64 arm32
 * @nic    nat
 */
#include <guest.h>
#include <store.h>
#include <frames.h>
#include <netfront.h>

static struct netfront nic;
static const uint8_t own[6] = { 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03 };
static uint8_t gateway[6];

static void resolve(void)
{
    uint8_t arp[FRAME_ARP_BYTES];
    const uint8_t *answer;
    unsigned length;

    frame_arp(arp, own);
    require_eq(net_send(&nic, arp, sizeof(arp), 0), NETIF_RSP_OKAY);
    answer = net_receive(&nic, &length);
    require(answer != NULL && frame_arp_answer(answer, length, own, gateway));
}

static void ping(void)
{
    uint8_t frame[FRAME_IP_BYTES + 64];
    const uint8_t *answer;
    unsigned length = frame_ping(frame, own, gateway, 64);

    require_eq(net_send(&nic, frame, length, 0), NETIF_RSP_OKAY);
    answer = net_receive(&nic, &length);
    require(answer != NULL);
    check_eq(length, sizeof(frame));
    check_eq(answer[34], 0);
    check(memcmp(answer + 38, frame + 38, 60) == 0);
}

/* A TCP SYN to a port of the gateway's that refuses: it answers only to one whose checksum is right. */
static void syn(void)
{
    uint8_t frame[34 + 20];
    const uint8_t *answer;
    unsigned length = frame_ip(frame, own, gateway, 6, 20);

    memset(frame + 34, 0, 20);
    frame[35] = 99;
    frame[37] = 1;
    frame[46] = 0x50;
    frame[47] = 2;
    frame[50] = 0xbe;      /* half a checksum, as a driver leaves it */
    frame[51] = 0xef;
    require_eq(net_send(&nic, frame, length, 0), NETIF_RSP_OKAY);
    check(net_receive(&nic, &length) == NULL);
    require_eq(net_send(&nic, frame, sizeof(frame), NETTXF_csum_blank | NETTXF_data_validated), NETIF_RSP_OKAY);
    answer = net_receive(&nic, &length);
    require(answer != NULL && length >= 54);
    /* Not connected, but spoken to: a reset, or an ICMP message that says why. */
    check((answer[23] == 6 && (answer[47] & 4)) || answer[23] == 1);
}

static void errors(void)
{
    struct netif_tx_request many[2] = {
        { .gref = nic.out_ref, .flags = NETTXF_more_data, .id = 1, .size = 10 }, { .gref = nic.out_ref, .id = 2, .size = 11 },
    };
    struct netif_tx_response response;

    check_eq(net_send(&nic, many, 13, 0), NETIF_RSP_ERROR);
    for (unsigned i = 0; i < 2; i++)
        net_put(&nic, &many[i]);
    net_kick(&nic);
    for (unsigned i = 0; i < 2; i++) {
        require(net_answer(&nic, &response));
        check_eq(response.id, i + 1);
        check_eq(response.status, NETIF_RSP_ERROR);
    }
    net_put(&nic, &many[0]);
    net_kick(&nic);
    check_eq(xenbus_back_state(&nic.bus), XenbusStateClosing);
}

void test_main(void)
{
    require(store_init());
    require(xenbus_find(&nic.bus, "vif", 0));
    require_eq(xenbus_back_state(&nic.bus), XenbusStateInitWait);
    check_eq(xenbus_back(&nic.bus, "feature-rx-copy", 0), 1);
    check_eq(xenbus_back(&nic.bus, "feature-gso-tcpv4", 0), 0);
    for (unsigned round = 0; round < 3; round++) {
        require_eq(net_connect(&nic), XenbusStateConnected);
        resolve();
        for (unsigned i = 0; i < 20; i++)
            ping();
        syn();
        errors();
        require_eq(net_close(&nic), XenbusStateClosed);
        require_eq(xenbus_back_state(&nic.bus), XenbusStateInitWait);
    }
}
