/* shadow_audit.c - cached translations compared with what they were made from: the entries of shadows with the guest's tables
 * and the p2m, and the TLBs with a walk. Part of hv_audit(); nothing changes, in the guest's tables neither.
 */
#include "shadow.h"
#include "../../p2m.h"

enum { PTE_PRESENT = 1, PTE_ACCESSED = 0x20, PTE_LARGE = 0x80, PSE36_SHIFT = 13, PSE36_BITS = 8 };
#define PTE_FRAME UINT64_C(0x000ffffffffff000)

struct shadow_check { struct hv *hv; struct differences *found; };

/* ---- shadows ---- */

/* The guest's entry that slot `i` of a shadow stands for; false: it stands for none. */
static bool guest_entry(const struct shadow_check *a, const struct shadow_key *key, uint32_t i, uint64_t *entry)
{
    const struct shadow_shape *shape = &SHADOW_SHAPE[key->kind];
    if (shape->slots == 0)
        return false;
    uint64_t at = (key->sub * (uint64_t)shape->entries + i / shape->slots) * shape->entry_bytes;
    *entry = 0;
    memcpy(entry, (const uint8_t *)machine_frame(a->hv->m, key->frame) + at, shape->entry_bytes);
    return true;
}

static int level_of(const struct shadow_key *key) { return SHADOW_SHAPE[key->kind].level; }

static uint64_t entry_of(const struct shadow_check *a, const struct shadow_key *key, uint64_t gfn)
{
    return p2m_get(a->hv, &hvm_of(a->hv, &a->hv->s->domains[key->domain])->p2m, gfn);
}

/* The frame that an entry of level 1 must have, as a p2m entry; of another level, the frame of the shadow below (a guest
 * frame if that is of a large page). */
static uint64_t expected(const struct shadow_check *a, const struct shadow_key *key, uint32_t i, uint64_t entry, bool *large)
{
    const int level = level_of(key);
    *large = false;
    if (key->kind == SHADOW_LARGE1)
        return entry_of(a, key, key->frame + i);
    if (key->kind == SHADOW_LARGE2) {
        *large = true;
        return key->frame + ((uint64_t)i << SHADOW_BITS);
    }
    if (key->kind == SHADOW_TOP_32)
        return key->frame;
    uint64_t gfn = (entry & PTE_FRAME) >> ENGINE_PAGE_SHIFT;
    if (level == 1)
        return entry_of(a, key, gfn);
    *large = entry & PTE_LARGE && key->kind != SHADOW_PAE && (key->kind != SHADOW_L2_32 || key->mode & SHADOW_PSE);
    if (!*large)
        return entry_of(a, key, gfn) >> P2M_FRAME_SHIFT;
    if (key->kind == SHADOW_L2_32) {     /* 4 MiB, of which the slot has one half; bits 13 to 20 are bits 32 to 39 of the address */
        gfn = gfn >> (SHADOW_BITS + 1) << (SHADOW_BITS + 1);
        gfn |= (entry >> PSE36_SHIFT & ((1u << PSE36_BITS) - 1)) << (32 - ENGINE_PAGE_SHIFT);
        return gfn | (uint64_t)(i & 1) << SHADOW_BITS;
    }
    return gfn >> (level - 1) * SHADOW_BITS << (level - 1) * SHADOW_BITS;
}

static void audit_entry(struct shadow_check *a, const struct shadows *s, uint32_t number, uint32_t i)
{
    const struct shadow_key *key = &s->shadow[number].key;
    const uint64_t shadow = s->entries[number][i];
    const int level = level_of(key);
    uint64_t entry = PTE_PRESENT | PTE_ACCESSED | SHADOW_W | SHADOW_U;
    bool large;
    const bool marked = guest_entry(a, key, i, &entry) && key->kind != SHADOW_PAE;
    if (!marked)
        entry = (entry & ~SHADOW_XD) | SHADOW_W | SHADOW_U;
    uint64_t to = expected(a, key, i, entry, &large);
    const char *wrong = NULL;
    if (!(entry & PTE_PRESENT) || (marked && !(entry & PTE_ACCESSED)))
        wrong = "the guest's entry is not present and accessed";
    else if ((shadow ^ entry) & (SHADOW_W | SHADOW_U | (marked && key->kind < SHADOW_PAE ? SHADOW_XD : 0)))
        wrong = "the rights are not the guest's";
    else if (marked && shadow & SHADOW_D && !(entry & SHADOW_D))
        wrong = "the guest's entry is not dirty";
    else if (level == 1 && (!(to & P2M_RAM) || (shadow >> SHADOW_FRAME_SHIFT & SHADOW_FRAME_MASK) != to >> P2M_FRAME_SHIFT ||
                            !(to & P2M_WRITABLE) != !!(shadow & SHADOW_READONLY)))
        wrong = "the p2m has another frame";
    else if (level > 1 && shadow_leads(s, shadow)) {
        const struct shadow_key *below = &s->shadow[shadow_child(shadow)].key;
        if (below->frame != to || level_of(below) != level - 1 || (below->kind >= SHADOW_LARGE1) != large)
            wrong = "it leads to another table";
    }
    if (wrong)
        hv_differ(a->found, "shadow of kind %u of frame %#llx slot %u: %s (%#llx, %#llx)", key->kind, (unsigned long long)key->frame, i,
               wrong, (unsigned long long)shadow, (unsigned long long)entry);
}

static void audit_shadows(struct shadow_check *a, const struct shadows *s)
{
    uint64_t used = 0;
    for (uint32_t n = 0; n < s->count; n++) {
        const struct shadow *shadow = &s->shadow[n];
        used += shadow->used;
        if (!shadow->used || shadow->epoch != s->epoch[shadow->key.domain])
            continue;
        if (shadow_lookup(s, &shadow->key) != n + 1)
            hv_differ(a->found, "shadow %u is not found by its key", n);
        bool any = false;
        for (uint32_t i = 0; i < SHADOW_ENTRIES; i++)
            if (s->entries[n][i] & SHADOW_P) {
                any = true;
                audit_entry(a, s, n, i);
            }
        if (any && shadow->key.kind < SHADOW_LARGE1 && !machine_is_table(a->hv->m, shadow->key.frame))
            hv_differ(a->found, "stores to the table in frame %#llx are not watched", (unsigned long long)shadow->key.frame);
    }
    if (used != s->counts.in_use)
        hv_differ(a->found, "%llu shadows are in use, the count says %llu", (unsigned long long)used, (unsigned long long)s->counts.in_use);
}

/* ---- TLBs ---- */

static void audit_cached(struct shadow_check *a, const struct vcpu *v, const struct cached *c)
{
    const struct hvm_domain *h = hvm_of(a->hv, hv_domain(a->hv, v));
    const enum access access = c->prot & MAP_EXEC ? ACCESS_FETCH : c->prot & MAP_READ ? ACCESS_READ : ACCESS_WRITE;
    struct mapping map = {0};
    struct hvm_path path;
    bool mapped = hvm_look(a->hv, v, c->va, access, c->user, &path, &map);
    uint64_t entry = mapped ? hvm_p2m_at(a->hv, h, map.frame) : 0;
    bool device = c->prot & MAP_DEVICE, good = mapped;
    if (device)
        good &= map.frame == c->frame && (!(entry & P2M_RAM) || !(c->prot & MAP_READ));
    else
        good &= entry & P2M_RAM && entry >> P2M_FRAME_SHIFT == c->frame;
    if (c->prot & MAP_WRITE && !device)
        good &= map.prot & MAP_WRITE && entry & P2M_WRITABLE && !machine_is_table(a->hv->m, c->frame);
    if (!good)
        hv_differ(a->found, "vcpu %u of domain %u has %#llx cached as frame %#llx (%#x), which no walk gives", v->id, v->domid,
               (unsigned long long)c->va, (unsigned long long)c->frame, c->prot);
}

void hvm_audit(struct hv *hv, struct differences *found)
{
    struct shadow_check a = {.hv = hv, .found = found};
    if (hv->shadows)
        audit_shadows(&a, hv->shadows);
    for (uint32_t slot = 0; slot < HV_MAX_VCPUS; slot++) {
        const struct vcpu *v = &hv->s->vcpus[slot];
        struct cached cached;
        if (!hv->cpus[slot] || !is_hvm(hv_domain(hv, v)))
            continue;
        for (uint64_t at = 0; cpu_next_cached(hv->cpus[slot], &at, &cached);)
            audit_cached(&a, v, &cached);
    }
}
