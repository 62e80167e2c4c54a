/* @title  a PV network interface
 * @fact   frames go out and come in, also after the driver has closed and begun again; checksums that are left blank are
 *         filled in; frames that are none are answered with an error, and a frame that does not end breaks the ring
 * @source xen/include/public/io/netif.h
 * @env    pv64 pvh64
 * @nic    nat
 */
#include <guest.h>
#include <store.h>
#include <netfront.h>

static struct netfront nic;
static const uint8_t own[6] = { 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03 };
static uint8_t gateway[6];

/* ARP: who has 10.0.2.2, tell 10.0.2.15. */
static const uint8_t arp[42] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03, 0x08, 0x06,
    0, 1, 8, 0, 6, 4, 0, 1, 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
};

static unsigned sum(const uint8_t *bytes, unsigned length, unsigned start)
{
    for (unsigned i = 0; i < length; i++)
        start += (unsigned)bytes[i] << (i & 1 ? 0 : 8);
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return start;
}

static void set_sum(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(~value >> 8);
    at[1] = (uint8_t)~value;
}

static unsigned header(uint8_t *frame, uint8_t protocol, unsigned payload)
{
    uint8_t *ip = frame + 14;

    memset(frame, 0, 34);
    memcpy(frame, gateway, 6);
    memcpy(frame + 6, own, 6);
    frame[12] = 8;
    ip[0] = 0x45;
    ip[2] = (uint8_t)((20 + payload) >> 8);
    ip[3] = (uint8_t)(20 + payload);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, (uint8_t[8]){ 10, 0, 2, 15, 10, 0, 2, 2 }, 8);
    set_sum(ip + 10, sum(ip, 20, 0));
    return 34 + payload;
}

static void resolve(void)
{
    const uint8_t *answer;
    unsigned length;

    require_eq(net_send(&nic, arp, sizeof(arp), 0), NETIF_RSP_OKAY);
    answer = net_receive(&nic, &length);
    require(answer != NULL && length >= 42);
    require(answer[13] == 6 && answer[21] == 2 && memcmp(answer, own, 6) == 0);
    memcpy(gateway, answer + 22, 6);
}

static void ping(void)
{
    uint8_t frame[34 + 64];
    const uint8_t *answer;
    unsigned length = header(frame, 1, 64);

    for (unsigned i = 0; i < 64; i++)
        frame[34 + i] = (uint8_t)(i < 8 ? 0 : i);
    frame[34] = 8;
    set_sum(frame + 36, sum(frame + 34, 64, 0));
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
    unsigned length = header(frame, 6, 20);

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

    check_eq(net_send(&nic, arp, 13, 0), NETIF_RSP_ERROR);
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
