/* walk.c - the x86 page walk over physical memory: 4-level, PAE and 32-bit tables
 * (Intel SDM vol. 3 chapter 4). Reads entries where they lie, sets accessed and dirty bits, reports page-fault error codes. */
#include "cpu.h"

enum {
    PSE36_SHIFT = 13, PSE36_RESERVED = 1 << 21, LARGE_LOW = 0x1fff, PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80,
    PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16
};
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_FRAME UINT64_C(0x000ffffffffff000)
#define PAE_ROOT UINT64_C(0xffffffe0)                   /* a table of four entries */
/* Address bits that an entry must not have: a machine address has 44, a guest-physical one those that CPUID says. */
#define RESERVED_FROM(bits) (PTE_FRAME & ~((UINT64_C(1) << (bits)) - 1))
#define PTE_RESERVED RESERVED_FROM(44)
#define PTE_RESERVED_GUEST RESERVED_FROM(ENGINE_PHYSICAL_BITS)

/* Shape of one table level: address bits that index it. */
struct level { unsigned shift; unsigned bits; bool large; bool rights; };
static const struct level LEVELS_4[] = {{12, 9, true, true}, {21, 9, true, true}, {30, 9, true, true}, {39, 9, false, true}};
static const struct level LEVELS_PAE[] = {{12, 9, true, true}, {21, 9, true, true}, {30, 2, false, false}};
static const struct level LEVELS_32[] = {{12, 10, true, true}, {22, 10, true, true}};

static const struct level *shape(int levels) { return levels == 4 ? LEVELS_4 : levels == 3 ? LEVELS_PAE : LEVELS_32; }

static bool load_entry(const struct machine *m, uint64_t pa, int size, uint64_t *entry)
{
    if ((pa >> ENGINE_PAGE_SHIFT) >= m->frames)
        return false;
    *entry = 0;
    memcpy(entry, m->base + pa, (size_t)size);
    return true;
}

/* Entries are set accessed and dirty as hardware does, which makes their frame dirty too. A guest may have code beside its
 * entries: blocks made of these bytes go, others stay, as the one that is running may be from this frame. */
static void or_entry(struct machine *m, uint64_t pa, int size, uint64_t entry, uint64_t bits)
{
    if ((entry & bits) == bits)
        return;
    machine_table_marked(m, pa >> ENGINE_PAGE_SHIFT, size);
    entry |= bits;
    memcpy(m->base + pa, &entry, (size_t)size);
    m->flags[pa >> ENGINE_PAGE_SHIFT] |= FRAME_DIRTY;
    for (int i = 0; m->flags[pa >> ENGINE_PAGE_SHIFT] & FRAME_CODE && i < m->cpu_count; i++)
        if (m->cpus[i])
            tb_invalidate_phys_range_x86_64(m->cpus[i]->uc, pa, pa + (uint64_t)size);
}

static inline uint64_t root_of(const struct x86_paging *p)
{
    return p->levels == 3 ? p->root & PAE_ROOT : p->root & PTE_FRAME;
}

/* Inlined into its two callers, so that a walk of machine addresses pays nothing for the other kind. */
static inline __attribute__((always_inline)) bool translate(
    struct machine *m, const struct x86_paging *p, uint64_t va, enum access access, bool user, bool update,
    struct mapping *map, struct x86_walk *walk)
{
    const int levels = p->levels;
    const bool nx = p->nx, write_protect = p->write_protect;
    const struct level *shapes = shape(levels);
    const int size = levels == 2 ? 4 : 8;
    const uint64_t reserved = p->frame_of ? PTE_RESERVED_GUEST : PTE_RESERVED;
    uint64_t table = root_of(p), rights = PTE_W | PTE_U, no_exec = 0;
    uint64_t entries[4] = {0}, places[4] = {0};
    bool writable[4] = {true, true, true, true};
    uint32_t error = (uint32_t)((access == ACCESS_WRITE ? PF_W : 0) | (user ? PF_U : 0) | (access == ACCESS_FETCH && nx ? PF_I : 0));
    int level = levels;
    uint64_t pa = 0;
    bool ok = false;

    if (levels == 4 && !x86_canonical(va))
        goto out;                 /* not canonical: the caller tells #GP from #PF */
    while (level > 0) {
        const struct level *l = &shapes[level - 1];
        uint64_t place = table + ((va >> l->shift) & ((UINT64_C(1) << l->bits) - 1)) * (uint64_t)size;
        uint64_t entry;
        if (p->frame_of) {
            uint64_t frame = p->frame_of(p->ctx, place >> ENGINE_PAGE_SHIFT, &writable[level - 1]);
            place = frame == UINT64_MAX ? frame : frame << ENGINE_PAGE_SHIFT | (place & (ENGINE_PAGE_SIZE - 1));
        }
        if (!load_entry(m, place, size, &entry))
            goto out;
        entries[level - 1] = entry;
        places[level - 1] = place;
        if (!(entry & PTE_P))
            goto out;
        if (size == 8 && (entry & reserved || (!nx && entry & PTE_NX))) {
            error |= PF_RSVD | PF_P;
            goto out;
        }
        if (l->rights) {
            rights &= entry;
            no_exec |= size == 8 ? entry & PTE_NX : 0;
        }
        bool leaf = level == 1 || (l->large && (size == 8 || p->large) && entry & PTE_PS);
        if (leaf) {
            uint64_t span = (UINT64_C(1) << l->shift) - 1;
            if (level > 1 && entry & (size == 8 ? span & ~LARGE_LOW : PSE36_RESERVED)) {
                error |= PF_RSVD | PF_P;
                goto out;
            }
            pa = ((entry & PTE_FRAME) & ~span) | (va & span & ~UINT64_C(0xfff));
            if (size == 4 && level == 2)
                pa |= (entry >> PSE36_SHIFT & 0xff) << 32;
            map->page_bytes = level == 1 ? 0 : span + 1;
            break;
        }
        table = entry & PTE_FRAME;
        level--;
    }
    error |= PF_P;
    bool may_write = rights & PTE_W || (!user && !write_protect);
    if ((user && !(rights & PTE_U)) || (access == ACCESS_WRITE && !may_write) || (access == ACCESS_FETCH && no_exec))
        goto out;
    if (update) {
        for (int i = levels; i > level; i--)
            if (shapes[i - 1].rights && writable[i - 1])
                or_entry(m, places[i - 1], size, entries[i - 1], PTE_A);
        if (writable[level - 1])
            or_entry(m, places[level - 1], size, entries[level - 1], access == ACCESS_WRITE ? PTE_A | PTE_D : PTE_A);
    }
    map->frame = pa >> ENGINE_PAGE_SHIFT;
    /* Writable without a further visit only when the dirty bit is set already. */
    bool dirty = access == ACCESS_WRITE || entries[level - 1] & PTE_D;
    map->prot = (uint32_t)(MAP_READ | (may_write && dirty ? MAP_WRITE : 0) | (no_exec ? 0 : MAP_EXEC));
    ok = true;
out:
    map->error = error;
    if (walk) {
        memcpy(walk->entry, entries, sizeof entries);
        memcpy(walk->entry_pa, places, sizeof places);
        walk->level = level;
        walk->unmarked = 0;
        for (int i = 0; i < levels; i++)
            walk->unmarked |= (uint32_t)(!writable[i] || !shapes[i].rights) << i;
    }
    return ok;
}

bool x86_translate(struct machine *m, uint64_t root, int levels, bool nx, uint64_t va, enum access access, bool user,
                   bool write_protect, bool update, struct mapping *map, struct x86_walk *walk)
{
    const struct x86_paging p = {.root = root, .levels = levels, .nx = nx, .write_protect = write_protect, .large = true};
    return translate(m, &p, va, access, user, update, map, walk);
}

bool x86_translate_guest(struct machine *m, const struct x86_paging *p, uint64_t va, enum access access, bool user,
                         bool update, struct mapping *map, struct x86_walk *walk)
{
    return translate(m, p, va, access, user, update, map, walk);
}

void x86_note_tables(struct machine *m, const struct x86_paging *p, uint64_t va, const struct x86_walk *walk)
{
    enum { LINEAR_BITS = 48 };
    const struct level *shapes = shape(p->levels);
    const uint32_t size = p->levels == 2 ? 4 : 8;
    for (int i = p->levels - 1; i >= walk->level - 1; i--) {
        const unsigned covers = shapes[i].shift + shapes[i].bits;
        const uint32_t bytes = size << shapes[i].bits;
        const struct table_use use = {
            .base = (va & ((UINT64_C(1) << LINEAR_BITS) - 1)) >> covers << covers, .bytes = bytes,
            .start = (uint32_t)walk->entry_pa[i] & (ENGINE_PAGE_SIZE - 1) & ~(bytes - 1),
            .shift = (uint8_t)shapes[i].shift, .entry_bytes = (uint8_t)size, .always = walk->unmarked >> i & 1,
            .present = PTE_P, .accessed = PTE_A};
        machine_note_table(m, walk->entry_pa[i] >> ENGINE_PAGE_SHIFT, &use);
    }
}
