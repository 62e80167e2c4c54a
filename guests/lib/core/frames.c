/* frames.c - Ethernet frames by hand. */
#include <guest.h>
#include <frames.h>

static const uint8_t addresses[8] = { 10, 0, 2, 15, 10, 0, 2, 2 };

unsigned frame_sum(const uint8_t *bytes, unsigned length, unsigned start)
{
    for (unsigned i = 0; i < length; i++)
        start += (unsigned)bytes[i] << (i & 1 ? 0 : 8);
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return start;
}

void frame_set_sum(uint8_t *at, unsigned sum)
{
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

void frame_arp(uint8_t *frame, const uint8_t *own)
{
    static const uint8_t request[10] = { 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 };

    memset(frame, 0, FRAME_ARP_BYTES);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, own, 6);
    memcpy(frame + 12, request, sizeof(request));
    memcpy(frame + 22, own, 6);
    memcpy(frame + 28, addresses, 4);
    memcpy(frame + 38, addresses + 4, 4);
}

bool frame_arp_answer(const uint8_t *frame, unsigned length, const uint8_t *own, uint8_t *gateway)
{
    if (length < FRAME_ARP_BYTES || frame[13] != 6 || frame[21] != 2 || memcmp(frame, own, 6) != 0)
        return false;
    memcpy(gateway, frame + 22, 6);
    return true;
}

unsigned frame_ip(uint8_t *frame, const uint8_t *own, const uint8_t *gateway, uint8_t protocol, unsigned payload)
{
    uint8_t *ip = frame + 14;

    memset(frame, 0, FRAME_IP_BYTES);
    memcpy(frame, gateway, 6);
    memcpy(frame + 6, own, 6);
    frame[12] = 8;
    ip[0] = 0x45;
    ip[2] = (uint8_t)((20 + payload) >> 8);
    ip[3] = (uint8_t)(20 + payload);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, addresses, 8);
    frame_set_sum(ip + 10, frame_sum(ip, 20, 0));
    return FRAME_IP_BYTES + payload;
}

unsigned frame_ping(uint8_t *frame, const uint8_t *own, const uint8_t *gateway, unsigned payload)
{
    enum { ICMP = 1, ECHO = 8 };
    uint8_t *data = frame + FRAME_IP_BYTES;
    unsigned length = frame_ip(frame, own, gateway, ICMP, payload);

    for (unsigned i = 0; i < payload; i++)
        data[i] = (uint8_t)(i < 8 ? 0 : i);
    data[0] = ECHO;
    frame_set_sum(data + 2, frame_sum(data, payload, 0));
    return length;
}
