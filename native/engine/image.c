/* image.c - memory at one moment: what a snapshot, a fork and a step backwards are made of.
 *
 * An image is a two-level table of 4 KiB pages: first RAM's frames, then the pages of the arena. Pages and second-level
 * tables ("leaves") never change once they are in an image, so images share what they have in common, by counts of
 * references. A page of zeros is not there at all.
 *
 * Invariants
 *   - A machine's `base` is the image that its memory equals, but for the frames with FRAME_DIRTY and for the arena.
 *   - Every write to a frame sets FRAME_DIRTY: the host's in machine_write_begin(), the walker's in or_entry(), the
 *     guest's in cpu_insert(). A new base clears the flags and makes all translations stale, so that the first store
 *     of the guest to each frame comes there again.
 *   - The arena has no such flags: the pages that the layer above names as in use are compared with the base.
 *
 * Counts are atomic: machines in different threads may share images.
 */
#include "machine.h"
#include <stdlib.h>

enum { LEAF_BITS = 9, LEAF_PAGES = 1 << LEAF_BITS };

struct page {
    uint32_t references;
    uint32_t pad[3];
    uint8_t bytes[ENGINE_PAGE_SIZE];
};

struct leaf {
    uint32_t references;
    uint32_t pad;
    struct page *pages[LEAF_PAGES];
};

/* Shared by all images that descend from one another: how much memory they hold in all. */
struct image_store {
    uint64_t pages;
    uint32_t references;
    uint32_t pad;
};

struct image {
    struct image_store *store;
    uint64_t frames;              /* of RAM: the units before the arena's */
    uint64_t units;
    uint64_t leaves;
    uint32_t references;
    uint32_t pad;
    struct leaf *leaf[];
};

static void count_up(uint32_t *references) { __atomic_add_fetch(references, 1, __ATOMIC_RELAXED); }
static bool count_down(uint32_t *references) { return __atomic_sub_fetch(references, 1, __ATOMIC_ACQ_REL) == 0; }

/* ---- the tables ---- */

static void page_release(struct image_store *store, struct page *page)
{
    if (page && count_down(&page->references)) {
        __atomic_sub_fetch(&store->pages, 1, __ATOMIC_RELAXED);
        free(page);
    }
}

static void leaf_release(struct image_store *store, struct leaf *leaf)
{
    if (!leaf || !count_down(&leaf->references))
        return;
    for (unsigned i = 0; i < LEAF_PAGES; i++)
        page_release(store, leaf->pages[i]);
    free(leaf);
}

static void store_release(struct image_store *store)
{
    if (count_down(&store->references))
        free(store);
}

static struct image *image_empty(struct image_store *store, uint64_t frames, uint64_t units)
{
    uint64_t leaves = (units + LEAF_PAGES - 1) >> LEAF_BITS;
    struct image *image = calloc(1, sizeof *image + leaves * sizeof image->leaf[0]);
    if (!image)
        return NULL;
    *image = (struct image){.store = store, .frames = frames, .units = units, .leaves = leaves, .references = 1};
    count_up(&store->references);
    return image;
}

int image_create(struct image **out, uint64_t frames, uint64_t arena_bytes)
{
    struct image_store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    store->references = 1;
    *out = image_empty(store, frames, frames + (arena_bytes + ENGINE_PAGE_SIZE - 1) / ENGINE_PAGE_SIZE);
    store_release(store);
    return *out ? 0 : -ENOMEM;
}

void image_release(struct image *image)
{
    if (!image || !count_down(&image->references))
        return;
    for (uint64_t i = 0; i < image->leaves; i++)
        leaf_release(image->store, image->leaf[i]);
    store_release(image->store);
    free(image);
}

uint64_t image_held(const struct image *image)
{
    return __atomic_load_n(&image->store->pages, __ATOMIC_RELAXED) * ENGINE_PAGE_SIZE;
}

uint64_t image_units(const struct image *image) { return image->units; }

static const struct page *page_of(const struct image *image, uint64_t unit)
{
    const struct leaf *leaf = image->leaf[unit >> LEAF_BITS];
    return leaf ? leaf->pages[unit & (LEAF_PAGES - 1)] : NULL;
}

const void *image_next_change(const struct image *image, const struct image *since, uint64_t *unit)
{
    static const uint8_t zeros[ENGINE_PAGE_SIZE];
    for (; *unit < image->units; ++*unit) {
        if (*unit < since->units && image->leaf[*unit >> LEAF_BITS] == since->leaf[*unit >> LEAF_BITS]) {
            *unit |= LEAF_PAGES - 1;
            continue;
        }
        const struct page *page = page_of(image, *unit);
        if (page != (*unit < since->units ? page_of(since, *unit) : NULL))
            return page ? page->bytes : zeros;
    }
    return NULL;
}

const void *image_next(const struct image *image, uint64_t *unit)
{
    for (; *unit < image->units; ++*unit) {
        if (!image->leaf[*unit >> LEAF_BITS]) {
            *unit |= LEAF_PAGES - 1;
            continue;
        }
        const struct page *page = page_of(image, *unit);
        if (page)
            return page->bytes;
    }
    return NULL;
}

static bool is_zero(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, ENGINE_PAGE_SIZE - 1) == 0;
}

static bool holds(const struct page *page, const uint8_t *bytes)
{
    return page ? memcmp(page->bytes, bytes, ENGINE_PAGE_SIZE) == 0 : is_zero(bytes);
}

/* A leaf of an image under construction that may be changed: its own, or a copy of the shared one. */
static struct leaf *own_leaf(struct image *image, uint64_t index)
{
    struct leaf *old = image->leaf[index];
    if (old && __atomic_load_n(&old->references, __ATOMIC_ACQUIRE) == 1)
        return old;
    struct leaf *leaf = calloc(1, sizeof *leaf);
    if (!leaf)
        return NULL;
    leaf->references = 1;
    if (old) {
        memcpy(leaf->pages, old->pages, sizeof leaf->pages);
        for (unsigned i = 0; i < LEAF_PAGES; i++)
            if (leaf->pages[i])
                count_up(&leaf->pages[i]->references);
        leaf_release(image->store, old);
    }
    image->leaf[index] = leaf;
    return leaf;
}

int image_set(struct image *image, uint64_t unit, const void *bytes)
{
    if (unit >= image->units)
        return -EINVAL;
    struct page *page = NULL;
    if (!is_zero(bytes)) {
        page = malloc(sizeof *page);
        if (!page)
            return -ENOMEM;
        page->references = 1;
        memcpy(page->bytes, bytes, ENGINE_PAGE_SIZE);
        __atomic_add_fetch(&image->store->pages, 1, __ATOMIC_RELAXED);
    } else if (!page_of(image, unit)) {
        return 0;
    }
    struct leaf *leaf = own_leaf(image, unit >> LEAF_BITS);
    if (!leaf) {
        page_release(image->store, page);
        return -ENOMEM;
    }
    struct page **slot = &leaf->pages[unit & (LEAF_PAGES - 1)];
    page_release(image->store, *slot);
    *slot = page;
    return 0;
}

struct image *image_copy(const struct image *from)
{
    struct image *image = image_empty(from->store, from->frames, from->units);
    if (!image)
        return NULL;
    for (uint64_t i = 0; i < from->leaves; i++) {
        image->leaf[i] = from->leaf[i];
        if (image->leaf[i])
            count_up(&image->leaf[i]->references);
    }
    return image;
}

/* ---- machines ---- */

/* The next frame from `f` on that was written since the base; m->frames: none. Eight flags at a time. */
static uint64_t next_dirty(const struct machine *m, uint64_t f)
{
    const uint64_t all = UINT64_C(0x0101010101010101) * FRAME_DIRTY;
    while (f < m->frames) {
        uint64_t word;
        if ((f & 7) == 0 && f + 8 <= m->frames) {
            memcpy(&word, m->flags + f, sizeof word);
            if (!(word & all)) {
                f += 8;
                continue;
            }
        }
        if (m->flags[f] & FRAME_DIRTY)
            return f;
        f++;
    }
    return m->frames;
}

bool machine_frame_is_zero(const struct machine *m, uint64_t frame)
{
    if (m->flags[frame] & FRAME_DIRTY)
        return is_zero(m->base + frame * ENGINE_PAGE_SIZE);
    return !m->base_image || !page_of(m->base_image, frame);
}

static bool new_base(struct machine *m, struct image *image)
{
    bool any = false;
    for (uint64_t f = next_dirty(m, 0); f < m->frames; f = next_dirty(m, f + 1)) {
        m->flags[f] &= (uint8_t)~FRAME_DIRTY;
        any = true;
    }
    count_up(&image->references);
    image_release(m->base_image);
    m->base_image = image;
    return any;
}

static uint8_t *arena_page(const struct machine *m, uint64_t page)
{
    return m->base + m->frames * ENGINE_PAGE_SIZE + page * ENGINE_PAGE_SIZE;
}

/* The pages that the image has, whether they are in use still or not (a domain that has gone left zeros), and then those
 * in use that it does not have. */
static int save_arena(const struct machine *m, struct image *image, const struct arena_span *spans, uint32_t count)
{
    int error = 0;
    uint64_t unit = m->frames;
    for (; !error && image_next(image, &unit) != NULL; unit++)
        if (!holds(page_of(image, unit), arena_page(m, unit - m->frames)))
            error = image_set(image, unit, arena_page(m, unit - m->frames));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t last = (spans[i].offset + spans[i].bytes + ENGINE_PAGE_SIZE - 1) / ENGINE_PAGE_SIZE;
        for (uint64_t p = spans[i].offset / ENGINE_PAGE_SIZE; p < last && !error; p++)
            if (!page_of(image, m->frames + p) && !is_zero(arena_page(m, p)))
                error = image_set(image, m->frames + p, arena_page(m, p));
    }
    return error;
}

int machine_save(struct machine *m, const struct arena_span *spans, uint32_t count, struct image **out)
{
    struct image *image = NULL;
    int error = 0;
    if (m->base_image)
        image = image_copy(m->base_image);
    else
        error = image_create(&image, m->frames, m->arena_bytes);
    if (!image)
        return error ? error : -ENOMEM;
    for (uint64_t f = next_dirty(m, 0); f < m->frames && !error; f = next_dirty(m, f + 1))
        error = image_set(image, f, m->base + f * ENGINE_PAGE_SIZE);
    if (!error)
        error = save_arena(m, image, spans, count);
    if (error) {
        image_release(image);
        return error;
    }
    if (new_base(m, image))
        machine_tlb_stale(m);
    *out = image;
    return 0;
}

static void put(uint8_t *to, const struct page *page)
{
    if (page)
        memcpy(to, page->bytes, ENGINE_PAGE_SIZE);
    else
        memset(to, 0, ENGINE_PAGE_SIZE);
}

static void load_frame(struct machine *m, uint64_t frame, const struct image *image)
{
    if (m->flags[frame] & FRAME_CODE)
        machine_drop_blocks(m, frame);
    put(m->base + frame * ENGINE_PAGE_SIZE, page_of(image, frame));
}

/* Frames that differ between two images and are not dirty, which are loaded already. */
static void load_differences(struct machine *m, const struct image *image)
{
    const struct image *base = m->base_image;
    for (uint64_t i = 0; i < image->leaves && i << LEAF_BITS < m->frames; i++) {
        if (base && base->leaf[i] == image->leaf[i])
            continue;
        for (uint64_t f = i << LEAF_BITS; f < (i + 1) << LEAF_BITS && f < m->frames; f++)
            if (!(m->flags[f] & FRAME_DIRTY) && page_of(image, f) != (base ? page_of(base, f) : NULL))
                load_frame(m, f, image);
    }
}

/* All pages that were in use then; of those in use now, what was not. */
static void load_arena(struct machine *m, const struct image *image, const struct arena_span *spans, uint32_t count)
{
    uint64_t unit = m->frames;
    for (const void *bytes; (bytes = image_next(image, &unit)) != NULL; unit++)
        if (memcmp(arena_page(m, unit - m->frames), bytes, ENGINE_PAGE_SIZE) != 0)
            memcpy(arena_page(m, unit - m->frames), bytes, ENGINE_PAGE_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t last = (spans[i].offset + spans[i].bytes + ENGINE_PAGE_SIZE - 1) / ENGINE_PAGE_SIZE;
        for (uint64_t p = spans[i].offset / ENGINE_PAGE_SIZE; p < last; p++)
            if (!page_of(image, m->frames + p) && !is_zero(arena_page(m, p)))
                memset(arena_page(m, p), 0, ENGINE_PAGE_SIZE);
    }
}

int machine_load(struct machine *m, struct image *image, const struct arena_span *spans, uint32_t count)
{
    if (image->frames != m->frames ||
        image->units != m->frames + (m->arena_bytes + ENGINE_PAGE_SIZE - 1) / ENGINE_PAGE_SIZE)
        return -EINVAL;
    for (uint64_t f = next_dirty(m, 0); f < m->frames; f = next_dirty(m, f + 1))
        load_frame(m, f, image);
    load_differences(m, image);
    load_arena(m, image, spans, count);
    (void)new_base(m, image);
    machine_tlb_stale(m);
    return 0;
}
