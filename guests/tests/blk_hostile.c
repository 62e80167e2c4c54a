/* @title  a PV disk's driver gone wild
 * @fact   random indices, requests, grants and nodes end a connection at worst; the next proper driver finds the disk
 *         as it was
 * @source xen/include/public/io/blkif.h
 * @env    pv64 pvh64 arm64 arm32
 * @disk   64
 */
#include <guest.h>
#include <random.h>
#include <store.h>
#include <blkfront.h>

static struct blkfront disk;
static char page[4096] __attribute__((aligned(4096)));
static struct random dice = { 11 };

static void wild_request(grant_ref_t ref)
{
    static const uint8_t operations[] = { BLKIF_OP_READ, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_INDIRECT, 99 };
    struct blkif_request request;

    for (unsigned i = 0; i < sizeof(request); i++)
        ((uint8_t *)&request)[i] = (uint8_t)random_next(&dice);
    request.operation = operations[random_next(&dice) % ARRAY_SIZE(operations)];
    if (random_next(&dice) % 2) {
        request.nr_segments = random_next(&dice) % 13;
        request.sector_number = random_next(&dice) % 66;
        for (unsigned i = 0; i < ARRAY_SIZE(request.seg); i++)
            request.seg[i] = (struct blkif_request_segment){
                random_next(&dice) % 2 ? ref : disk.ring_ref[0], random_next(&dice) % 9, random_next(&dice) % 9 };
    }
    blk_put(&disk, &request);
}

static void proper(grant_ref_t ref)
{
    for (unsigned sector = 0; sector < 64; sector += 9) {
        require_eq(blk_page(&disk, BLKIF_OP_READ, sector, ref, 1), BLKIF_RSP_OKAY);
        check_eq(*(uint64_t *)page, sector);
    }
}

void test_main(void)
{
    grant_ref_t ref;
    unsigned broken_rings = 0;

    require(store_init());
    require(xenbus_find(&disk.bus, "vbd", BLK_XVDA));
    ref = xenbus_grant(page, false);
    for (unsigned round = 0; round < 12; round++) {
        require_eq(blk_connect(&disk, 0), XenbusStateConnected);
        proper(ref);
        for (unsigned i = 0; i < 20; i++)
            wild_request(ref);
        blk_kick(&disk);
        if (xenbus_back_state(&disk.bus) == XenbusStateConnected) {
            disk.ring.sring->req_prod = (uint32_t)(random_next(&dice) | 0x100);
            event_send(disk.port);
            require_eq(xenbus_back_state(&disk.bus), XenbusStateClosing);
            broken_rings++;
        }
        event_send(disk.port);
        require_eq(blk_close(&disk), XenbusStateClosed);
    }
    check(broken_rings > 0);

    /* Nodes that no driver writes. */
    require_eq(xenbus_back_state(&disk.bus), XenbusStateInitWait);
    xenbus_set(&disk.bus, "ring-ref", "%s", "not a number");
    check_eq(xenbus_state(&disk.bus, XenbusStateInitialised), XenbusStateClosing);
    blk_close(&disk);
    require_eq(blk_connect(&disk, 0), XenbusStateConnected);
    blk_close(&disk);
    xenbus_set(&disk.bus, "event-channel", "%u", 0x7fffffff);
    check_eq(xenbus_state(&disk.bus, XenbusStateInitialised), XenbusStateClosing);
    blk_close(&disk);
    require_eq(blk_connect(&disk, 2), XenbusStateConnected);
    proper(ref);

    /* A ring that was taken back. */
    xenbus_revoke(disk.ring_ref[1]);
    event_send(disk.port);
    check_eq(xenbus_back_state(&disk.bus), XenbusStateClosing);
    disk.ring_ref[1] = 0;
    blk_close(&disk);
    require_eq(blk_connect(&disk, 2), XenbusStateConnected);
    proper(ref);
}
