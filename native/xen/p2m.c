/* p2m.c - guest-physical to machine: which frame of the machine stands at each frame number of a guest's own.
 *
 * A radix tree of three levels in frames of Xen's, 2^27 guest frames (512 GiB) wide; the tables lie in machine memory, so
 * that they are saved and hashed with it. An entry is 0 or a machine frame number and P2M_* flags. No references are held by
 * it: a frame of the domain's own stays its own until it is given back, which removes the entry first.
 */
#include "arch.h"
#include "p2m.h"

enum { ENTRIES = 1 << P2M_INDEX_BITS };

struct p2m *p2m_of(struct hv *hv, const struct domain *d)
{
    const struct arch *arch = hv_arch(d);
    return arch->p2m ? arch->p2m(hv, d) : NULL;
}

static uint64_t *slot_of(struct hv *hv, const struct p2m *p2m, uint64_t gfn, uint64_t *table)
{
    uint64_t frame = p2m->root;
    for (int level = P2M_LEVELS - 1;; level--) {
        uint64_t *entries = machine_frame(hv->m, frame);
        uint64_t *slot = &entries[gfn >> level * P2M_INDEX_BITS & (ENTRIES - 1)];
        if (level == 0 || *slot == 0) {
            *table = frame;
            return level == 0 ? slot : NULL;
        }
        frame = *slot >> P2M_FRAME_SHIFT;
    }
}

uint64_t p2m_get(struct hv *hv, const struct p2m *p2m, uint64_t gfn)
{
    uint64_t table;
    const uint64_t *slot = p2m->root && gfn < P2M_FRAMES ? slot_of(hv, p2m, gfn, &table) : NULL;
    return slot ? *slot : 0;
}

/* A table of Xen's own, zeroed; 0: no memory. */
static uint64_t new_table(struct hv *hv)
{
    uint64_t frame = hv_alloc_frame(hv, OWNER_XEN);
    return frame == ~UINT64_C(0) ? 0 : frame;
}

static int make_tables(struct hv *hv, struct p2m *p2m, uint64_t gfn)
{
    if (!p2m->root && !(p2m->root = new_table(hv)))
        return -ENOMEM;
    uint64_t frame = p2m->root;
    for (int level = P2M_LEVELS - 1; level > 0; level--) {
        uint64_t *slot = (uint64_t *)machine_frame(hv->m, frame) + (gfn >> level * P2M_INDEX_BITS & (ENTRIES - 1));
        if (*slot == 0) {
            uint64_t table = new_table(hv);
            if (!table)
                return -ENOMEM;
            machine_write_begin(hv->m, frame);
            *slot = table << P2M_FRAME_SHIFT | P2M_TABLE;
        }
        frame = *slot >> P2M_FRAME_SHIFT;
    }
    return 0;
}

int hv_p2m_set(struct hv *hv, struct domain *d, uint64_t gfn, uint64_t mfn, uint32_t flags)
{
    const struct arch *arch = hv_arch(d);
    struct p2m *p2m = p2m_of(hv, d);
    uint64_t table, *slot;
    if (!p2m || gfn >= P2M_FRAMES || (flags && mfn >= hv->s->frames))
        return -EINVAL;
    if (flags) {
        int error = make_tables(hv, p2m, gfn);
        if (error)
            return error;
        if (gfn > p2m->highest_gfn)
            p2m->highest_gfn = gfn;
    }
    slot = p2m->root ? slot_of(hv, p2m, gfn, &table) : NULL;
    if (!slot)
        return 0;
    machine_write_begin(hv->m, table);
    *slot = flags ? mfn << P2M_FRAME_SHIFT | flags : 0;
    machine_tlb_stale(hv->m);
    if (arch->p2m_changed)
        arch->p2m_changed(hv, d);
    return 0;
}

int hv_p2m_fill(struct hv *hv, struct domain *d, uint64_t gfn, const uint64_t *mfns, uint64_t count, uint32_t flags)
{
    for (uint64_t i = 0; i < count; i++) {
        int error = hv_p2m_set(hv, d, gfn + i, mfns[i], flags);
        if (error)
            return error;
    }
    return 0;
}

uint64_t hv_p2m_get(struct hv *hv, const struct domain *d, uint64_t gfn, uint32_t *flags)
{
    const struct p2m *p2m = p2m_of(hv, d);
    uint64_t entry = p2m ? p2m_get(hv, p2m, gfn) : 0;
    *flags = entry & P2M_FLAGS;
    return entry & P2M_RAM ? entry >> P2M_FRAME_SHIFT : ~UINT64_C(0);
}

uint64_t hv_highest_gfn(struct hv *hv, const struct domain *d)
{
    const struct p2m *p2m = p2m_of(hv, d);
    return p2m ? p2m->highest_gfn : 0;
}

uint64_t hv_frame_of(struct hv *hv, const struct domain *d, uint64_t gfn)
{
    const struct p2m *p2m = p2m_of(hv, d);
    if (!p2m)
        return gfn;
    uint64_t entry = p2m_get(hv, p2m, gfn);
    return entry & P2M_RAM && entry & P2M_WRITABLE ? entry >> P2M_FRAME_SHIFT : ~UINT64_C(0);
}

static void free_tables(struct hv *hv, uint64_t frame, int level)
{
    for (unsigned i = 0; level > 0 && i < ENTRIES; i++) {
        uint64_t entry = ((uint64_t *)machine_frame(hv->m, frame))[i];
        if (entry)
            free_tables(hv, entry >> P2M_FRAME_SHIFT, level - 1);
    }
    hv_free_frame(hv, frame);
}

void p2m_destroy(struct hv *hv, struct p2m *p2m)
{
    if (p2m->root)
        free_tables(hv, p2m->root, P2M_LEVELS - 1);
    p2m->root = 0;
}
