/* shadow.h - shadow page tables: what the guest's page tables and the p2m say together, kept in host memory.
 *
 * A cache and no state: it is not saved, not hashed, and may be dropped at any time (docs/adr/0009). shadow.c reads and fills
 * it, shadow_pool.c owns its memory, shadow_audit.c compares it with what it was made from.
 */
#ifndef XENLAB_HVM_SHADOW_H
#define XENLAB_HVM_SHADOW_H
#include "hvm.h"

enum { SHADOW_BITS = 9, SHADOW_ENTRIES = 1 << SHADOW_BITS };

struct shadow_key {
    uint64_t frame;               /* machine frame of the guest's table; SHADOW_LARGE*: guest frame */
    uint16_t domain;              /* slot */
    uint8_t kind, sub;            /* enum shadow_kind (../xen.h) */
    uint8_t mode;                 /* SHADOW_NX | SHADOW_PSE */
    uint8_t pad[3];
};
enum { SHADOW_NX = 1, SHADOW_PSE = 2 };   /* EFER.NXE, CR4.PSE: which entries are refused, what they mean */

/* Entries. W, U and D are the guest's, in its places; what is not set in an entry above counts for all below, but for D,
 * which the guest's leaf has. Level 1 has a machine frame, other levels the number and generation of a shadow: the entry is
 * worth nothing once that has another generation. */
#define SHADOW_P        UINT64_C(1)
#define SHADOW_W        UINT64_C(2)
#define SHADOW_U        UINT64_C(4)
#define SHADOW_READONLY UINT64_C(0x20)            /* the p2m allows no writes */
#define SHADOW_D        UINT64_C(0x40)
#define SHADOW_XD       (UINT64_C(1) << 63)
enum { SHADOW_FRAME_SHIFT = 12, SHADOW_NUMBER_BITS = 24, SHADOW_GENERATION_SHIFT = 36, SHADOW_GENERATION_BITS = 26 };
#define SHADOW_FRAME_MASK ((UINT64_C(1) << 44) - 1)

struct shadow {
    struct shadow_key key;
    uint64_t epoch;               /* of its domain, when it was made */
    uint64_t filled;              /* the fill that used it last */
    uint32_t generation;
    uint32_t next;                /* 1 + number of the next one with this hash */
    bool used, recent;            /* recent: used since the search for a victim passed it */
};

/* Where a vcpu's translations begin, while all of it is as it was. levels 0: nowhere yet. */
struct shadow_root {
    uint64_t cr3, epoch;
    uint32_t number, generation;
    uint16_t domain;
    uint8_t levels, mode;
};

/* How a shadow of each kind stands for a table of the guest's: `slots` in a row are made of one of its entries, of
 * `entry_bytes`; `entries` are in one shadow, the first one numbered sub * entries. 0: all of them, and there is no `sub`.
 * slots 0: none stands for an entry. */
struct shadow_shape { uint16_t entries; uint8_t level, entry_bytes, slots; };
extern const struct shadow_shape SHADOW_SHAPE[SHADOW_LARGE2 + 1];

struct shadows {
    uint32_t count, hand, buckets;
    uint32_t *bucket;             /* 1 + number; 0: none */
    struct shadow *shadow;        /* [count] */
    uint64_t (*entries)[SHADOW_ENTRIES];
    uint64_t fill;                /* number of the present one */
    uint64_t epoch[HV_MAX_DOMAINS];
    struct shadow_root root[HV_MAX_VCPUS];
    struct hv_shadow_counts counts;
};

static inline uint32_t shadow_child(uint64_t entry) { return entry >> SHADOW_FRAME_SHIFT & ((1u << SHADOW_NUMBER_BITS) - 1); }
/* The slot for `va` in a shadow of level `level` of `levels`. */
static inline uint32_t shadow_slot(uint64_t va, int level, int levels)
{
    const uint32_t mask = level == 3 && levels == 3 ? 3 : SHADOW_ENTRIES - 1;
    return (uint32_t)(va >> (ENGINE_PAGE_SHIFT + (level - 1) * SHADOW_BITS)) & mask;
}
/* Is the shadow that the entry leads to the one that it was made for? */
static inline bool shadow_leads(const struct shadows *s, uint64_t entry)
{
    return s->shadow[shadow_child(entry)].generation ==
           (entry >> SHADOW_GENERATION_SHIFT & ((1u << SHADOW_GENERATION_BITS) - 1));
}

/* ---- shadow_pool.c ---- */
struct shadows *shadow_create(uint64_t frames);
void shadow_destroy(struct shadows *s);
/* Are there shadows to be looked at? They are made when somebody asks first. */
bool shadow_wanted(struct hv *hv);
/* The shadow with this key; 1 + number, 0: there is none. */
uint32_t shadow_lookup(const struct shadows *s, const struct shadow_key *key);
/* The same, made if there is none: another one may go for it, but none of the present fill. 0: there was none to go. */
uint32_t shadow_obtain(struct shadows *s, const struct shadow_key *key);
/* engine_ops.table_changed; ctx is the hv. */
void shadow_table_changed(void *ctx, uint64_t frame, uint32_t offset, uint32_t bytes);
/* The p2m of a domain has changed, or the domain is another: none of its shadows is of use any more. */
void shadow_forget_domain(struct hv *hv, const struct domain *d);

/* ---- shadow.c ---- */
/* Where the vcpu's translations begin in this mode; NULL: not yet. */
const struct shadow_root *shadow_root_of(const struct shadows *s, const struct vcpu *v, const struct x86_paging *paging);
/* The translation of `va`, if it is there and allows the access without a change to the guest's tables. */
bool shadow_find(struct hv *hv, const struct vcpu *v, const struct x86_paging *paging, uint64_t va, enum access access,
                 bool user, struct mapping *map);
/* Keep a translation: what the walk found, guest frame `gfn`, and the p2m's entry for that, which is RAM. */
void shadow_fill(struct hv *hv, const struct vcpu *v, const struct x86_paging *paging, uint64_t va, enum access access,
                 const struct x86_walk *tables, uint64_t gfn, uint64_t p2m_entry);
#endif
