/* shadow_pool.c - the memory of shadow page tables: a fixed number of them, found by what they stand for.
 *
 * It is host memory, not the machine's: how much of it is in use, and for what, must not show in what a guest can allocate,
 * in a state hash or in a snapshot. Nothing holds references: an entry names the generation of the shadow that it leads to,
 * so a shadow may be given another use at any time. All that happens here follows from what the guest does: two runs are alike.
 */
#include <stdlib.h>
#include "shadow.h"

enum { SHARE = 128, LEAST = 256 };       /* one shadow for so many frames of the machine, and these besides */

struct shadows *shadow_create(uint64_t frames)
{
    struct shadows *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    uint64_t count = frames / SHARE + LEAST;
    s->count = s->buckets = (uint32_t)(count < 1u << SHADOW_NUMBER_BITS ? count : 1u << SHADOW_NUMBER_BITS);
    s->bucket = calloc(s->buckets, sizeof *s->bucket);
    s->shadow = calloc(s->count, sizeof *s->shadow);
    s->entries = calloc(s->count, sizeof *s->entries);
    if (!s->bucket || !s->shadow || !s->entries) {
        shadow_destroy(s);
        return NULL;
    }
    s->counts.capacity = s->count;
    return s;
}

void shadow_destroy(struct shadows *s)
{
    if (!s)
        return;
    free(s->bucket);
    free(s->shadow);
    free(s->entries);
    free(s);
}

/* By frame alone: a store to a table finds all its shadows in one chain. */
static uint32_t *bucket_of(const struct shadows *s, uint64_t frame)
{
    return &s->bucket[(frame * UINT64_C(0x9e3779b97f4a7c15) >> 32) % s->buckets];
}

static bool same(const struct shadow_key *a, const struct shadow_key *b)
{
    return a->frame == b->frame && a->domain == b->domain && a->kind == b->kind && a->sub == b->sub && a->mode == b->mode;
}

uint32_t shadow_lookup(const struct shadows *s, const struct shadow_key *key)
{
    for (uint32_t n = *bucket_of(s, key->frame); n != 0; n = s->shadow[n - 1].next)
        if (same(&s->shadow[n - 1].key, key))
            return n;
    return 0;
}

static void empty(struct shadows *s)
{
    memset(s->bucket, 0, s->buckets * sizeof *s->bucket);
    memset(s->shadow, 0, s->count * sizeof *s->shadow);
    memset(s->entries, 0, s->count * sizeof *s->entries);
    memset(s->root, 0, sizeof s->root);
    s->hand = 0;
    s->counts.in_use = 0;
}

/* What leads to it does so no more. false: everything was emptied, as generations have begun anew. */
static bool new_generation(struct shadows *s, struct shadow *shadow)
{
    if (++shadow->generation >> SHADOW_GENERATION_BITS == 0)
        return true;
    empty(s);
    return false;
}

static bool retire(struct shadows *s, uint32_t number)
{
    struct shadow *shadow = &s->shadow[number - 1];
    uint32_t *link = bucket_of(s, shadow->key.frame);
    while (*link != number)
        link = &s->shadow[*link - 1].next;
    *link = shadow->next;
    shadow->used = false;
    s->counts.in_use--;
    return new_generation(s, shadow);
}

/* The next one that is free, or was not used for a whole round. 0: the present fill uses them all. */
static uint32_t victim(struct shadows *s)
{
    for (uint64_t tries = 0; tries < 2 * (uint64_t)s->count; tries++) {
        struct shadow *shadow = &s->shadow[s->hand];
        uint32_t number = s->hand + 1;
        s->hand = number == s->count ? 0 : number;
        if (!shadow->used)
            return number;
        if (shadow->filled == s->fill || s->counts.in_use < s->count)
            continue;
        if (!shadow->recent) {
            s->counts.recycled++;
            return retire(s, number) ? number : 0;
        }
        shadow->recent = false;
    }
    return 0;
}

uint32_t shadow_obtain(struct shadows *s, const struct shadow_key *key)
{
    uint32_t number = shadow_lookup(s, key);
    if (number && s->shadow[number - 1].epoch != s->epoch[key->domain] && !retire(s, number))
        return 0;
    if (!number || !s->shadow[number - 1].used) {
        if (!number && !(number = victim(s)))
            return 0;
        struct shadow *made = &s->shadow[number - 1];
        uint32_t *bucket = bucket_of(s, key->frame);
        made->key = *key;
        made->epoch = s->epoch[key->domain];
        made->used = true;
        made->next = *bucket;
        *bucket = number;
        memset(s->entries[number - 1], 0, sizeof s->entries[number - 1]);
        s->counts.in_use++;
    }
    s->shadow[number - 1].recent = true;
    s->shadow[number - 1].filled = s->fill;
    return number;
}

const struct shadow_shape SHADOW_SHAPE[] = {
    [SHADOW_L1] = {0, 1, 8, 1}, [SHADOW_L2] = {0, 2, 8, 1}, [SHADOW_L3] = {0, 3, 8, 1}, [SHADOW_L4] = {0, 4, 8, 1},
    [SHADOW_PAE] = {4, 3, 8, 1}, [SHADOW_L1_32] = {512, 1, 4, 1}, [SHADOW_L2_32] = {256, 2, 4, 2}, [SHADOW_TOP_32] = {0, 3, 4, 0},
    [SHADOW_LARGE1] = {0, 1, 0, 0}, [SHADOW_LARGE2] = {0, 2, 0, 0},
};

/* Which entries of a shadow stand for bytes [offset, offset + bytes) of the guest's table: [from, to). */
static void slots_of(const struct shadow_key *key, uint32_t offset, uint32_t bytes, int32_t *from, int32_t *to)
{
    const struct shadow_shape *shape = &SHADOW_SHAPE[key->kind];
    const int32_t size = shape->entry_bytes, slots = shape->slots, first = key->sub * shape->entries;
    const int32_t end = shape->entries ? shape->entries * slots : SHADOW_ENTRIES;
    *from = ((int32_t)offset / size - first) * slots;
    *to = ((int32_t)(offset + bytes - 1) / size + 1 - first) * slots;
    *from = *from < 0 ? 0 : *from;
    *to = *to > end ? end : *to;
}

void shadow_table_changed(void *ctx, uint64_t frame, uint32_t offset, uint32_t bytes)
{
    struct hv *hv = ctx;
    struct shadows *s = hv->shadows;
    if (!s)
        return;
    for (uint32_t n = *bucket_of(s, frame), next; n != 0; n = next) {
        const struct shadow_key *key = &s->shadow[n - 1].key;
        int32_t from, to;
        next = s->shadow[n - 1].next;
        if (key->frame != frame || key->kind >= SHADOW_LARGE1)
            continue;
        s->counts.changed++;
        if (bytes == ENGINE_PAGE_SIZE) {
            if (!retire(s, n))
                return;
            continue;
        }
        slots_of(key, offset, bytes, &from, &to);
        for (int32_t i = from; i < to; i++)
            s->entries[n - 1][i] = 0;
    }
}

void shadow_forget_domain(struct hv *hv, const struct domain *d)
{
    if (hv->shadows)
        hv->shadows->epoch[d->slot]++;
}

/* ---- for Python ---- */

int hv_set_paging(struct hv *hv, uint32_t mode)
{
    if (mode > HV_PAGING_SHADOW)
        return -EINVAL;
    hv->paging = mode;
    if (mode == HV_PAGING_WALK) {
        shadow_destroy(hv->shadows);
        hv->shadows = NULL;
    }
    return 0;
}

uint32_t hv_paging(const struct hv *hv) { return hv->paging; }

bool shadow_wanted(struct hv *hv)
{
    if (hv->paging == HV_PAGING_SHADOW && !hv->shadows && !(hv->shadows = shadow_create(hv->s->frames)))
        hv->paging = HV_PAGING_WALK;      /* the host has no memory for a cache */
    return hv->shadows;
}

void hv_shadow_drop(struct hv *hv)
{
    for (unsigned slot = 0; hv->shadows && slot < HV_MAX_DOMAINS; slot++)
        hv->shadows->epoch[slot]++;
}

void hv_shadow_statistics(const struct hv *hv, struct hv_shadow_counts *out)
{
    *out = hv->shadows ? hv->shadows->counts : (struct hv_shadow_counts){0};
}
