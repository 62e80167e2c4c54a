/* @title  a PV disk
 * @fact   a back end says what its disk is; reads, writes, flushes and indirect requests do what they say, in rings of
 *         one and of several pages; what it has not offered or cannot be is refused
 * @source xen/include/public/io/blkif.h
 * @env    pv64 pvh64 arm64 arm32
 * @disk   256
 */
#include <guest.h>
#include <store.h>
#include <blkfront.h>

static struct blkfront disk;
static char page[4][4096] __attribute__((aligned(4096)));
static struct blkif_request_segment table[512] __attribute__((aligned(4096)));
static grant_ref_t ref[4], readonly, table_ref;

static uint64_t number_at(unsigned p, unsigned sector)
{
    return *(uint64_t *)(page[p] + sector * SECTOR);
}

static void features(void)
{
    check_eq(xenbus_back(&disk.bus, "sectors", 0), 256);
    check_eq(xenbus_back(&disk.bus, "sector-size", 0), 512);
    check_eq(xenbus_back(&disk.bus, "info", 99), 0);
    check_eq(xenbus_back(&disk.bus, "feature-flush-cache", 0), 1);
    check_eq(xenbus_back(&disk.bus, "feature-barrier", 1), 0);
    check(xenbus_back(&disk.bus, "feature-max-indirect-segments", 0) >= 32);
}

static void read_and_write(void)
{
    check_eq(blk_page(&disk, BLKIF_OP_READ, 248, ref[0], 8), BLKIF_RSP_OKAY);
    for (unsigned i = 0; i < 8; i++)
        check_eq(number_at(0, i), 248 + i);
    memset(page[1], 0x5a, 4096);
    check_eq(blk_page(&disk, BLKIF_OP_WRITE, 100, ref[1], 3), BLKIF_RSP_OKAY);
    check_eq(blk_page(&disk, BLKIF_OP_READ, 99, ref[0], 5), BLKIF_RSP_OKAY);
    check_eq(number_at(0, 0), 99);
    check(memcmp(page[0] + SECTOR, page[1], 3 * SECTOR) == 0);
    check_eq(number_at(0, 4), 103);
    check_eq(blk_page(&disk, BLKIF_OP_WRITE, 101, readonly, 1), BLKIF_RSP_OKAY);   /* a page that is only read */
    check_eq(blk_page(&disk, BLKIF_OP_READ, 101, readonly, 1), BLKIF_RSP_ERROR);
    struct blkif_request flush = { .operation = BLKIF_OP_FLUSH_DISKCACHE, .id = 5 };
    check_eq(blk_do(&disk, &flush), BLKIF_RSP_OKAY);
}

static void segments(void)
{
    struct blkif_request request = { .operation = BLKIF_OP_READ, .nr_segments = 3, .id = 77, .sector_number = 10 };

    memset(page, 0xee, sizeof(page));
    for (unsigned i = 0; i < 3; i++)
        request.seg[i] = (struct blkif_request_segment){ .gref = ref[i], .first_sect = 2, .last_sect = (uint8_t)(2 + i) };
    check_eq(blk_do(&disk, &request), BLKIF_RSP_OKAY);
    check_eq(number_at(0, 2), 10);
    check_eq(number_at(1, 2), 11);
    check_eq(number_at(1, 3), 12);
    check_eq(number_at(2, 4), 15);
    check_eq(number_at(0, 3), 0xeeeeeeeeeeeeeeee);
    check_eq(number_at(0, 1), 0xeeeeeeeeeeeeeeee);
}

static void indirect(void)
{
    struct blkif_request_indirect request = {
        .operation = BLKIF_OP_INDIRECT, .indirect_op = BLKIF_OP_READ, .nr_segments = 32, .id = 78, .sector_number = 64,
        .indirect_grefs = { table_ref },
    };
    const struct blkif_request *as_any = (const struct blkif_request *)(const void *)&request;

    for (unsigned i = 0; i < 32; i++)
        table[i] = (struct blkif_request_segment){ .gref = ref[i / 8], .first_sect = (uint8_t)(i % 8),
                                                   .last_sect = (uint8_t)(i % 8) };
    check_eq(blk_do(&disk, as_any), BLKIF_RSP_OKAY);
    for (unsigned i = 0; i < 30; i++)
        check_eq(number_at(i / 8, i % 8), 64 + i);
    request.nr_segments = 513;
    check_eq(blk_do(&disk, as_any), BLKIF_RSP_ERROR);
    request.nr_segments = 1;
    request.indirect_op = BLKIF_OP_FLUSH_DISKCACHE;
    check_eq(blk_do(&disk, as_any), BLKIF_RSP_ERROR);
}

static void refused(void)
{
    struct blkif_request barrier = { .operation = BLKIF_OP_WRITE_BARRIER, .nr_segments = 1, .id = 1 };
    struct blkif_request none = { .operation = BLKIF_OP_READ, .id = 2 };
    struct blkif_request wide = { .operation = BLKIF_OP_READ, .nr_segments = 1, .id = 3, .seg[0] = { ref[0], 0, 8 } };
    struct blkif_request turned = { .operation = BLKIF_OP_READ, .nr_segments = 1, .id = 4, .seg[0] = { ref[0], 5, 4 } };

    check_eq(blk_do(&disk, &barrier), BLKIF_RSP_EOPNOTSUPP);
    check_eq(blk_do(&disk, &none), BLKIF_RSP_ERROR);
    check_eq(blk_do(&disk, &wide), BLKIF_RSP_ERROR);
    check_eq(blk_do(&disk, &turned), BLKIF_RSP_ERROR);
    check_eq(blk_page(&disk, BLKIF_OP_READ, 249, ref[0], 8), BLKIF_RSP_ERROR);
    check_eq(blk_page(&disk, BLKIF_OP_READ, UINT64_MAX, ref[0], 1), BLKIF_RSP_ERROR);
    check_eq(blk_page(&disk, BLKIF_OP_WRITE, 256, ref[0], 1), BLKIF_RSP_ERROR);
    check_eq(blk_page(&disk, BLKIF_OP_READ, 0, 300, 1), BLKIF_RSP_ERROR);          /* grants nothing */
    check_eq(blk_page(&disk, BLKIF_OP_READ, 0, 0xffffffff, 1), BLKIF_RSP_ERROR);
}

/* A full ring at once, and around its end. */
static void full_rings(void)
{
    struct blkif_response response;

    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < disk.ring.nr_ents; i++)
            blk_put(&disk, &(struct blkif_request){ .operation = BLKIF_OP_READ, .nr_segments = 1, .id = i,
                                                    .sector_number = i, .seg[0] = { ref[i & 3], 0, 0 } });
        blk_kick(&disk);
        for (uint64_t i = 0; i < disk.ring.nr_ents; i++) {
            require(blk_take(&disk, &response));
            check_eq(response.id, i);
            check_eq(response.status, BLKIF_RSP_OKAY);
        }
        check_eq(number_at(3, 0), disk.ring.nr_ents - 1);
    }
}

void test_main(void)
{
    require(store_init());
    require(xenbus_find(&disk.bus, "vbd", BLK_XVDA));
    require_eq(xenbus_back_state(&disk.bus), XenbusStateInitWait);
    for (unsigned i = 0; i < 4; i++)
        ref[i] = xenbus_grant(page[i], false);
    readonly = xenbus_grant(page[2], true);
    table_ref = xenbus_grant(table, true);
    for (unsigned order = 0; order < 3; order++) {
        require_eq(blk_connect(&disk, order), XenbusStateConnected);
        features();
        read_and_write();
        segments();
        indirect();
        refused();
        full_rings();
        require_eq(blk_close(&disk), XenbusStateClosed);
        require_eq(xenbus_back_state(&disk.bus), XenbusStateInitWait);
    }
}
