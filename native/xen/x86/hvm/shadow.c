/* shadow.c - from a linear address to a machine frame by shadow page tables, and how they are filled.
 *
 * A TLB miss is looked up here first: one load a level, and no p2m. What is not found, or found without the right that is
 * asked for, is the guest's tables' (x86/walk.c), which set accessed and dirty bits and raise faults; what they say is then
 * kept here.
 *
 * Why both ways give a guest the same:
 *   - An entry is made from one that the walk has marked accessed, and has D only when the guest's has. The engine tells of
 *     every store to such a table before it is done (native/engine/tables.c), and of every one of the host's; the entry goes.
 *     So a shadow never has what a walk at that moment would not find, and a walk would find nothing left to mark.
 *   - Tables in memory that takes no writes have no accessed bits: they are not shadowed.
 *   - What an entry means besides (NX, large pages of 4 MiB) is part of a shadow's key; CR0.WP is asked at each look.
 *   - A change of the p2m makes all shadows of the domain worthless.
 */
#include "shadow.h"

static uint8_t mode_of(const struct x86_paging *p)
{
    return (uint8_t)((p->nx ? SHADOW_NX : 0) | (p->levels == 2 && p->large ? SHADOW_PSE : 0));
}

/* ---- looking ---- */

const struct shadow_root *shadow_root_of(const struct shadows *s, const struct vcpu *v, const struct x86_paging *p)
{
    const struct shadow_root *r = &s->root[v->slot];
    if (r->cr3 != p->root || r->domain != v->domain_slot || r->epoch != s->epoch[v->domain_slot] ||
        r->levels != p->levels || r->mode != mode_of(p) || s->shadow[r->number].generation != r->generation)
        return NULL;
    return r;
}

bool shadow_find(struct hv *hv, const struct vcpu *v, const struct x86_paging *p, uint64_t va, enum access access, bool user,
                 struct mapping *map)
{
    struct shadows *s = hv->shadows;
    const struct shadow_root *root = shadow_root_of(s, v, p);
    if (!root || (p->levels == 4 && !x86_canonical(va)))
        return false;
    uint64_t rights = SHADOW_W | SHADOW_U, any = 0, entry;
    uint32_t number = root->number;
    const int levels = p->levels == 4 ? 4 : 3;
    for (int level = levels;; level--) {
        entry = s->entries[number][shadow_slot(va, level, levels)];
        if (!(entry & SHADOW_P))
            return false;
        rights &= entry;
        any |= entry & (SHADOW_XD | SHADOW_D);
        if (level == 1)
            break;
        if (!shadow_leads(s, entry))
            return false;
        number = shadow_child(entry);
    }
    bool may_write = (rights & SHADOW_W || (!user && !p->write_protect)) && any & SHADOW_D && !(entry & SHADOW_READONLY);
    if ((user && !(rights & SHADOW_U)) || (access == ACCESS_WRITE && !may_write) || (access == ACCESS_FETCH && any & SHADOW_XD))
        return false;
    map->frame = entry >> SHADOW_FRAME_SHIFT & SHADOW_FRAME_MASK;
    map->prot = (uint32_t)(MAP_READ | (may_write ? MAP_WRITE : 0) | (any & SHADOW_XD ? 0 : MAP_EXEC));
    s->counts.found++;
    return true;
}

/* ---- filling ---- */

/* One level on the way down: the shadow's key, and what its entry gets beside the place that it leads to. */
struct step { struct shadow_key key; uint64_t flags; };

static uint64_t flags_of(const struct x86_paging *p, const struct x86_walk *tables, int level, enum access access)
{
    uint64_t entry = tables->entry[level - 1], flags = entry & (SHADOW_W | SHADOW_U);
    if (p->levels != 2)
        flags |= entry & SHADOW_XD;
    if (level == tables->level && (access == ACCESS_WRITE || entry & SHADOW_D))
        flags |= SHADOW_D;
    return flags | SHADOW_P;
}

#define ALL_RIGHTS (SHADOW_P | SHADOW_W | SHADOW_U)

/* Of shadow level `level`, 1 the lowest. */
static struct step step_at(const struct x86_paging *p, uint64_t va, enum access access, const struct x86_walk *tables,
                           uint64_t gfn, int level)
{
    struct step step = {.flags = ALL_RIGHTS};
    /* 4-byte tables have ten bits a level: level 3 here is made of the directory, as level 2 is */
    int guest = p->levels == 2 && level == 3 ? 2 : level;
    if (guest < tables->level) {
        step.key.kind = level == 1 ? SHADOW_LARGE1 : SHADOW_LARGE2;
        step.key.frame = gfn >> level * SHADOW_BITS << level * SHADOW_BITS;
        return step;
    }
    step.key.frame = tables->entry_pa[guest - 1] >> ENGINE_PAGE_SHIFT;
    if (p->levels == 2 && level == 3) {
        step.key.kind = SHADOW_TOP_32;
    } else if (p->levels == 3 && level == 3) {
        step.key.kind = SHADOW_PAE;
        step.key.sub = (tables->entry_pa[2] & (ENGINE_PAGE_SIZE - 1)) >> 5;
    } else {
        step.flags = flags_of(p, tables, guest, access);
        step.key.kind = (uint8_t)(SHADOW_L1 + level - 1);
        if (p->levels == 2) {
            step.key.kind = level == 1 ? SHADOW_L1_32 : SHADOW_L2_32;
            step.key.sub = level == 1 ? va >> 21 & 1 : va >> 30 & 3;
        }
    }
    return step;
}

void shadow_fill(struct hv *hv, const struct vcpu *v, const struct x86_paging *p, uint64_t va, enum access access,
                 const struct x86_walk *tables, uint64_t gfn, uint64_t p2m_entry)
{
    enum { PAE_TOP = 1 << 2 };
    struct shadows *s = hv->shadows;
    const int levels = p->levels == 4 ? 4 : 3;
    uint64_t *parent = NULL, flags = 0;
    if (tables->unmarked & ~(p->levels == 3 ? (uint32_t)PAE_TOP : 0))
        return;
    s->fill++;
    s->counts.filled++;
    for (int level = levels; level > 0; level--) {
        struct step step = step_at(p, va, access, tables, gfn, level);
        step.key.domain = v->domain_slot;
        step.key.mode = mode_of(p);
        uint32_t number = shadow_obtain(s, &step.key);
        if (!number--)
            return;
        uint64_t place = (uint64_t)number << SHADOW_FRAME_SHIFT | (uint64_t)s->shadow[number].generation << SHADOW_GENERATION_SHIFT;
        if (parent)
            *parent = place | flags;
        else
            s->root[v->slot] = (struct shadow_root){
                .cr3 = p->root, .epoch = s->epoch[v->domain_slot], .number = number, .generation = s->shadow[number].generation,
                .domain = v->domain_slot, .levels = (uint8_t)p->levels, .mode = step.key.mode};
        parent = &s->entries[number][shadow_slot(va, level, levels)];
        flags = step.flags;
    }
    *parent = flags | (p2m_entry >> P2M_FRAME_SHIFT) << SHADOW_FRAME_SHIFT | (p2m_entry & P2M_WRITABLE ? 0 : SHADOW_READONLY);
}
