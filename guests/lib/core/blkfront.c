/* blkfront.c - a minimal driver of PV disks. */
#include <guest.h>
#include <blkfront.h>
#include <abi/io/protocols.h>

static struct blkif_sring *shared(struct blkfront *b)
{
    return (struct blkif_sring *)b->pages;
}

unsigned blk_connect(struct blkfront *b, unsigned order)
{
    struct blkif_sring *s = shared(b);
    unsigned pages = 1u << order;
    char name[16];

    memset(b->pages, 0, sizeof(b->pages));
    s->req_event = s->rsp_event = 1;
    b->ring = (struct blkif_front_ring){ .nr_ents = CONST_RING_SIZE(blkif, pages * 4096), .sring = s };
    for (unsigned i = 0; i < pages; i++) {
        if (b->ring_ref[i] == 0)
            b->ring_ref[i] = xenbus_grant(b->pages[i], false);
        snprintf(name, sizeof(name), order ? "ring-ref%u" : "ring-ref", i);
        xenbus_set(&b->bus, name, "%u", b->ring_ref[i]);
    }
    if (order)
        xenbus_set(&b->bus, "ring-page-order", "%u", order);
    else
        xenbus_remove(&b->bus, "ring-page-order");
    b->port = xenbus_channel();
    xenbus_set(&b->bus, "event-channel", "%u", b->port);
    xenbus_set(&b->bus, "protocol", XEN_IO_PROTO_ABI_NATIVE);
    return xenbus_state(&b->bus, XenbusStateInitialised);
}

unsigned blk_close(struct blkfront *b)
{
    return xenbus_close(&b->bus, b->port);
}

void blk_put(struct blkfront *b, const struct blkif_request *request)
{
    b->ring.sring->ring[b->ring.req_prod_pvt++ & (b->ring.nr_ents - 1)].req = *request;
}

void blk_kick(struct blkfront *b)
{
    __atomic_store_n(&b->ring.sring->req_prod, b->ring.req_prod_pvt, __ATOMIC_SEQ_CST);
    event_send(b->port);
}

bool blk_take(struct blkfront *b, struct blkif_response *response)
{
    for (int turn = 0; READ_ONCE(b->ring.sring->rsp_prod) == b->ring.rsp_cons; turn++) {
        if (turn == 20)
            return false;
        event_poll(b->port, clock_ns() + 1000000);
        event_clear(b->port);
    }
    *response = b->ring.sring->ring[b->ring.rsp_cons++ & (b->ring.nr_ents - 1)].rsp;
    b->ring.sring->rsp_event = b->ring.rsp_cons + 1;
    return true;
}

int blk_do(struct blkfront *b, const struct blkif_request *request)
{
    struct blkif_response response;

    blk_put(b, request);
    blk_kick(b);
    if (!blk_take(b, &response))
        fail("the back end does not answer");
    check_eq(response.id, request->id);
    return response.status;
}

int blk_page(struct blkfront *b, uint8_t operation, uint64_t sector, grant_ref_t page, unsigned sectors)
{
    struct blkif_request request = {
        .operation = operation, .nr_segments = 1, .id = ++b->next_id, .sector_number = sector,
        .seg[0] = { .gref = page, .last_sect = (uint8_t)(sectors - 1) },
    };

    return blk_do(b, &request);
}
