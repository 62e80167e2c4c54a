/* grants.c - the grant table as its owner uses it. */
#include <guest.h>
#include <grants.h>

enum { MAX_FRAMES = 4 };
static char table[MAX_FRAMES][PAGE_SIZE] __attribute__((aligned(4096)));

long grants_set_version(uint32_t version)
{
    struct gnttab_set_version op = { .version = version };

    return hcall(grant_table_op, GNTTABOP_set_version, &op, 1);
}

static void setup(uint32_t frames)
{
    xen_pfn_t list[MAX_FRAMES];
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = frames };

    if (frames > MAX_FRAMES)
        broken("the library maps %u grant frames at most", (unsigned)MAX_FRAMES);
    set_xen_guest_handle(op.frame_list, list);
    require_eq(hcall(grant_table_op, GNTTABOP_setup_table, &op, 1), 0);
    require_eq(op.status, GNTST_okay);
    for (uint32_t i = 0; i < frames; i++)
        map_grant_frame(table[i], i, list[i]);
}

struct grant_entry_v1 *grants_setup_v1(uint32_t frames)
{
    setup(frames);
    return (struct grant_entry_v1 *)table;
}

union grant_entry_v2 *grants_setup_v2(uint32_t frames)
{
    setup(frames);
    return (union grant_entry_v2 *)table;
}

void grant_v1(uint32_t ref, domid_t to, uint64_t frame, uint16_t flags)
{
    struct grant_entry_v1 *e = (struct grant_entry_v1 *)table + ref;

    e->domid = to;
    e->frame = (uint32_t)frame;
    __atomic_store_n(&e->flags, flags, __ATOMIC_SEQ_CST);
}

struct gnttab_map_grant_ref grant_map(domid_t from, uint32_t ref, unsigned flags, void *at)
{
    struct gnttab_map_grant_ref op = { .host_addr = (unsigned long)at, .flags = flags, .ref = ref, .dom = from };

    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &op, 1), 0);
    return op;
}

int grant_unmap(uint32_t handle, void *at)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = (unsigned long)at, .handle = handle };

    require_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

int grant_copy_from(domid_t from, uint32_t ref, void *to, unsigned bytes)
{
    struct gnttab_copy op = { .len = (uint16_t)bytes, .flags = GNTCOPY_source_gref };

    op.source.u.ref = ref;
    op.source.domid = from;
    op.dest.u.gmfn = virt_to_mfn(to);
    op.dest.domid = DOMID_SELF;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &op, 1), 0);
    return op.status;
}
