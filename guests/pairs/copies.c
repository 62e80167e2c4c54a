/* @title  copies between two domains
 * @fact   GNTTABOP_copy goes from and to what another domain granted, and from one grant to another; of a page granted in
 *         part (version 2) nothing else is read or written
 * @source xen/include/public/grant_table.h (GNTTABOP_copy, GTF_sub_page), xen/common/grant_table.c
 * @env    pv64 pvh64 arm64 arm32
 *
 * tests/guests/test_two_domains.py runs it.
 */
#include <guest.h>
#include <grants.h>
#include "peer.h"

enum { WHOLE = 8, PART = 9, READ_ONLY = 10, PART_OFFSET = 100, PART_LENGTH = 16 };
static char whole[PAGE_SIZE] __attribute__((aligned(4096))), part[PAGE_SIZE] __attribute__((aligned(4096)));
static char fixed[PAGE_SIZE] __attribute__((aligned(4096))), mine[PAGE_SIZE] __attribute__((aligned(4096)));

static void give(void)
{
    union grant_entry_v2 *table;
    long port = event_alloc_unbound(peer);

    require_eq(grants_set_version(2), 0);
    table = grants_setup_v2(1);
    memcpy(fixed, "cannot be changed", 18);
    memcpy(part + PART_OFFSET - 1, "<0123456789abcdef>", 18);
    table[WHOLE].full_page.frame = virt_to_mfn(whole);
    table[READ_ONLY].full_page.frame = virt_to_mfn(fixed);
    table[PART].sub_page.frame = virt_to_mfn(part);
    table[PART].sub_page.page_off = PART_OFFSET;
    table[PART].sub_page.length = PART_LENGTH;
    for (unsigned ref = WHOLE; ref <= READ_ONLY; ref++)
        table[ref].hdr.domid = peer;
    __atomic_store_n(&table[WHOLE].hdr.flags, GTF_permit_access, __ATOMIC_SEQ_CST);
    __atomic_store_n(&table[READ_ONLY].hdr.flags, GTF_permit_access | GTF_readonly, __ATOMIC_SEQ_CST);
    __atomic_store_n(&table[PART].hdr.flags, GTF_permit_access | GTF_sub_page, __ATOMIC_SEQ_CST);
    require(port > 0);
    tell_port((uint32_t)port);
    wait_for((uint32_t)port);
    check_eq(memcmp(whole, "to the giver", 13), 0);
    check_eq(memcmp(whole + 64, "cannot", 6), 0);
    check_eq(memcmp(part + PART_OFFSET - 1, "<0123to the gcdef>", 18), 0);
    check_eq(memcmp(fixed, "cannot be changed", 18), 0);
}

struct place {
    domid_t domid;                              /* DOMID_SELF: `mine` */
    uint32_t ref;
    uint16_t offset;
};

static int copy(struct place from, struct place to, uint16_t bytes)
{
    struct gnttab_copy op = { .len = bytes };

    op.source.domid = from.domid;
    op.source.offset = from.offset;
    op.dest.domid = to.domid;
    op.dest.offset = to.offset;
    if (from.domid == DOMID_SELF) {
        op.source.u.gmfn = virt_to_mfn(mine);
    } else {
        op.flags |= GNTCOPY_source_gref;
        op.source.u.ref = from.ref;
    }
    if (to.domid == DOMID_SELF) {
        op.dest.u.gmfn = virt_to_mfn(mine);
    } else {
        op.flags |= GNTCOPY_dest_gref;
        op.dest.u.ref = to.ref;
    }
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

static struct place at(uint32_t ref, uint16_t offset)
{
    return (struct place){ .domid = peer, .ref = ref, .offset = offset };
}

static struct place own(uint16_t offset) { return (struct place){ .domid = DOMID_SELF, .offset = offset }; }

static void take(void)
{
    long port = connect(told_port());

    memcpy(mine, "to the giver", 13);
    check_eq(copy(own(0), at(WHOLE, 0), 13), GNTST_okay);
    check_eq(copy(at(READ_ONLY, 0), at(WHOLE, 64), 6), GNTST_okay);
    check_eq(copy(own(0), at(READ_ONLY, 0), 13), GNTST_general_error);
    check_eq(copy(own(0), at(PART, PART_OFFSET + 4), 8), GNTST_okay);
    check_eq(copy(own(0), at(PART, PART_OFFSET - 1), 8), GNTST_general_error);
    check_eq(copy(own(0), at(PART, PART_OFFSET + PART_LENGTH - 7), 8), GNTST_general_error);
    check_eq(copy(at(PART, PART_OFFSET), own(200), PART_LENGTH), GNTST_okay);
    check_eq(memcmp(mine + 200, "0123to the gcdef", PART_LENGTH), 0);
    check_eq(copy(at(PART, PART_OFFSET + 1), own(300), PART_LENGTH), GNTST_general_error);
    check_eq(mine[300], 0);
    check_eq(copy(at(WHOLE, 4090), own(0), 7), GNTST_bad_copy_arg);
    require_eq(event_send((uint32_t)port), 0);
}

void test_main(void) { peer_main(give, take); }
