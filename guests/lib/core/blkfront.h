/* blkfront.h - a minimal driver of PV disks (xen/include/public/io/blkif.h). */
#ifndef GUEST_BLKFRONT_H
#define GUEST_BLKFRONT_H
#include <stdbool.h>
#include <stdint.h>
#include <xenbus.h>
#include <abi/io/blkif.h>

enum { BLK_RING_PAGES = 4, BLK_XVDA = 51712, SECTOR = 512 };

struct blkfront {
    char pages[BLK_RING_PAGES][4096] __attribute__((aligned(4096)));   /* of the ring */
    struct xenbus bus;
    struct blkif_front_ring ring;
    grant_ref_t ring_ref[BLK_RING_PAGES];
    uint32_t port;
    uint64_t next_id;
};

/* Set up a ring of 1 << order pages and connect. The back end's state then: XenbusStateConnected when it went well. */
unsigned blk_connect(struct blkfront *b, unsigned order);
/* Say goodbye; the back end's state then. The device can be connected again. */
unsigned blk_close(struct blkfront *b);
/* Put a request into the ring, not yet shown to the back end. */
void blk_put(struct blkfront *b, const struct blkif_request *request);
/* Show what was put, and send the event. */
void blk_kick(struct blkfront *b);
/* Take the next response. False: none came. */
bool blk_take(struct blkfront *b, struct blkif_response *response);
/* One request, carried out: BLKIF_RSP_*. */
int blk_do(struct blkfront *b, const struct blkif_request *request);
/* Read or write (BLKIF_OP_*) up to 8 sectors of one page. */
int blk_page(struct blkfront *b, uint8_t operation, uint64_t sector, grant_ref_t page, unsigned sectors);

#endif
