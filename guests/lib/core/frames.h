/* frames.h - Ethernet frames to the gateway of a NAT (10.0.2.2), from 10.0.2.15. Facts: RFC 826 (ARP), 791 (IPv4), 792
 * (ICMP), 1071 (checksums).
 */
#ifndef GUEST_FRAMES_H
#define GUEST_FRAMES_H
#include <stdbool.h>
#include <stdint.h>

enum { FRAME_ARP_BYTES = 42, FRAME_IP_BYTES = 34 };

/* Who has the gateway's address? FRAME_ARP_BYTES from `own`. */
void frame_arp(uint8_t *frame, const uint8_t *own);
/* Whether a frame of so many bytes is the answer to that; whose address it tells. */
bool frame_arp_answer(const uint8_t *frame, unsigned length, const uint8_t *own, uint8_t *gateway);
/* Headers for a payload of so many bytes; the length of it all. The payload has no checksum yet. */
unsigned frame_ip(uint8_t *frame, const uint8_t *own, const uint8_t *gateway, uint8_t protocol, unsigned payload);
/* An ICMP echo request of so many bytes; the length of the frame. */
unsigned frame_ping(uint8_t *frame, const uint8_t *own, const uint8_t *gateway, unsigned payload);
/* The sum of 16-bit words, carried around, on top of another one; and its complement at a place. */
unsigned frame_sum(const uint8_t *bytes, unsigned length, unsigned start);
void frame_set_sum(uint8_t *at, unsigned sum);

#endif
