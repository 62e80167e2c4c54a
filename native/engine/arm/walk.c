/* walk.c - stage 1 of address translation: VMSAv8-64, and the long descriptors of AArch32 (DDI 0487, D5 and G5).
 *
 * Tables are read through stage 2, as a walk of hardware does. A Cortex-A57 has granules of 4 and 64 KiB, and leaves the access flag
 * to software: an entry without it is a fault.
 */
#include "cpu.h"

enum { VALID = 1, TABLE = 2, AP_USER = 1 << 6, AP_READ_ONLY = 1 << 7, ACCESS_FLAG = 1 << 10 };
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define PXN_TABLE (UINT64_C(1) << 59)
#define UXN_TABLE (UINT64_C(1) << 60)
#define AP_TABLE_NO_USER (UINT64_C(1) << 61)
#define AP_TABLE_READ_ONLY (UINT64_C(1) << 62)
#define ADDRESS UINT64_C(0x0000fffffffff000)
#define TTBCR_EAE (UINT64_C(1) << 31)
enum { GRANULE_64K = 16, GRANULE_4K = 12, LAST_LEVEL = 3 };

/* What TCR says about one half of the addresses. */
struct half {
    uint64_t table;
    unsigned bits;                /* of an address that are translated */
    unsigned granule;
    bool disabled;
    bool outside;                 /* the address is not in the half */
    unsigned output_bits;
};

bool arm_read_entry(struct cpu *c, uint64_t ipa, const struct arm_step *step, int level, uint64_t *entry, struct arm_fault *fault,
                    struct arm_walk *walk)
{
    struct mapping map = {0};
    if (!c->ops->stage2(c->ops->ctx, c, ipa & ~(uint64_t)(ENGINE_PAGE_SIZE - 1), ACCESS_READ, &map) || map.prot & MAP_DEVICE ||
        map.frame >= c->m->frames) {
        fault->status = FAULT_EXTERNAL_WALK | (uint32_t)level;
        return false;
    }
    const uint64_t place = map.frame << ENGINE_PAGE_SHIFT | (ipa & (ENGINE_PAGE_SIZE - 1));
    const bool swapped = ID(U_ENV_SCTLR) & SCTLR_EE;
    const uint8_t *bytes = c->m->base + place;
    uint64_t value = 0;
    memcpy(&value, bytes, step->entry_bytes);
    if (swapped)
        value = step->entry_bytes == 8 ? __builtin_bswap64(value) : __builtin_bswap32((uint32_t)value);
    *entry = value;
    walk->steps[walk->count] = *step;
    walk->steps[walk->count].ipa = ipa;
    walk->steps[walk->count].value = value;
    walk->steps[walk->count++].place = place;
    return true;
}

bool arm_short_tables(struct cpu *c)
{
    return ARM(c)->narrow && !(FIELD(uint64_t, c->env, U_ENV_TCR + U_TCR_SIZE + U_TCR_RAW) & TTBCR_EAE);
}

/* ---- which table ---- */

static struct half half64(struct cpu *c, uint64_t va)
{
    static const uint8_t OUTPUT[8] = {32, 36, 40, 42, 44, 48, 48, 48};
    const uint64_t tcr = FIELD(uint64_t, c->env, U_ENV_TCR + U_TCR_SIZE + U_TCR_RAW);
    const bool upper = va >> 55 & 1, tag_ignored = tcr >> (upper ? 38 : 37) & 1;
    unsigned size = tcr >> (upper ? 16 : 0) & 0x3f, output = OUTPUT[tcr >> 32 & 7];
    size = size < 16 ? 16 : size > 39 ? 39 : size;
    const unsigned bits = 64 - size;
    const uint64_t above = (tag_ignored ? (uint64_t)((int64_t)(va << 8) >> 8) : va) >> bits;
    return (struct half){
        .table = ENV(uint64_t, (upper ? U_ENV_TTBR1 : U_ENV_TTBR0) + 8) & UINT64_C(0x0000ffffffffffff),
        .bits = bits,
        .granule = (tcr >> (upper ? 30 : 14) & 3) == (upper ? 3 : 1) ? GRANULE_64K : GRANULE_4K,
        .disabled = tcr >> (upper ? 23 : 7) & 1,
        .outside = above != (upper ? UINT64_MAX >> bits : 0),
        .output_bits = output < ENGINE_PHYSICAL_BITS ? output : ENGINE_PHYSICAL_BITS,
    };
}

/* AArch32's TTBCR with EAE: T0SZ and T1SZ take 0 to 7 bits off 32, and what neither half has is in none (G5.5.3). */
static struct half half32(struct cpu *c, uint32_t va)
{
    const uint64_t tcr = FIELD(uint64_t, c->env, U_ENV_TCR + U_TCR_SIZE + U_TCR_RAW);
    const unsigned t0 = tcr & 7, t1 = tcr >> 16 & 7;
    const bool in0 = !t0 || !(va >> (32 - t0)), in1 = t1 ? va >> (32 - t1) == (1u << t1) - 1 : !in0;
    const bool upper = in1 && !(in0 && !t1);
    return (struct half){
        .table = ENV(uint64_t, (upper ? U_ENV_TTBR1 : U_ENV_TTBR0) + 8) & UINT64_C(0x000000ffffffffff),
        .bits = 32 - (upper ? t1 : t0),
        .granule = GRANULE_4K,
        .disabled = tcr >> (upper ? 23 : 7) & 1,
        .outside = !in0 && !in1,
        .output_bits = ENGINE_PHYSICAL_BITS,
    };
}

/* ---- rights ---- */

static uint32_t rights(struct cpu *c, uint64_t leaf, uint64_t tables, bool user)
{
    const bool for_user = leaf & AP_USER && !(tables & AP_TABLE_NO_USER), read_only = leaf & AP_READ_ONLY || tables & AP_TABLE_READ_ONLY;
    const bool may_read = !user || for_user, may_write = may_read && !read_only;
    bool never = user ? (leaf & UXN || tables & UXN_TABLE) : (leaf & PXN || tables & PXN_TABLE);
    if (ARM(c)->narrow) {         /* XN is for both; privileged code must be readable there too */
        never = leaf & UXN || tables & UXN_TABLE || (!user && (leaf & PXN || tables & PXN_TABLE));
        never |= !may_read;
    } else if (!user) {
        never |= for_user && !read_only;
    }
    if (ID(U_ENV_SCTLR) & SCTLR_WXN && may_write)
        never = true;
    return (may_read ? MAP_READ : 0u) | (may_write ? MAP_WRITE : 0u) | (never ? 0u : MAP_EXEC);
}

static bool allowed(uint32_t prot, enum access access)
{
    return prot & (access == ACCESS_WRITE ? MAP_WRITE : access == ACCESS_FETCH ? MAP_EXEC : MAP_READ);
}

/* ---- the walk ---- */

bool arm_stage1(struct cpu *c, uint64_t va, enum access access, bool user, bool flags, uint64_t *ipa, uint32_t *prot,
                struct arm_fault *fault, struct arm_walk *walk)
{
    walk->count = 0;
    *fault = (struct arm_fault){0};
    if (!(ID(U_ENV_SCTLR) & SCTLR_M)) {
        *ipa = va;
        *prot = MAP_READ | MAP_WRITE | MAP_EXEC;
        fault->status = FAULT_SIZE;
        return !(va >> ENGINE_PHYSICAL_BITS);
    }
    if (arm_short_tables(c))
        return arm_stage1_short(c, (uint32_t)va, access, user, flags, ipa, prot, fault, walk);
    const struct half half = ARM(c)->narrow ? half32(c, (uint32_t)va) : half64(c, va);
    const unsigned stride = half.granule - 3;
    int level = LAST_LEVEL + 1 - (int)((half.bits - 4) / stride);
    fault->status = FAULT_TRANSLATION | (half.outside || half.disabled ? 0 : (uint32_t)level);
    if (ARM(c)->narrow && (half.outside || half.disabled))
        fault->status = FAULT_TRANSLATION | 1;
    if (half.outside || half.disabled)
        return false;
    uint64_t table = half.table, tables = 0, entry;
    unsigned top = half.bits;
    for (;; level++) {
        const unsigned shift = stride * (unsigned)(LAST_LEVEL - level) + half.granule;
        const uint32_t bytes = 8u << (top - shift);
        const struct arm_step step = {.shift = shift, .entry_bytes = 8, .table_bytes = bytes};
        table &= ~(uint64_t)(bytes - 1);
        fault->status = FAULT_SIZE | (walk->count ? (uint32_t)level - 1 : 0);
        if (table >> half.output_bits)
            return false;
        if (!arm_read_entry(c, table + 8 * (va << (64 - top) >> (64 - top) >> shift), &step, level, &entry, fault, walk))
            return false;
        const bool more = level < LAST_LEVEL && entry & TABLE;
        const bool block = level == LAST_LEVEL ? entry & TABLE : !more && level >= (half.granule == GRANULE_64K ? 2 : 1);
        fault->status = FAULT_TRANSLATION | (uint32_t)level;
        if (!(entry & VALID) || !(more || block))
            return false;
        top = shift;
        if (block)
            break;
        tables |= entry & (PXN_TABLE | UXN_TABLE | AP_TABLE_NO_USER | AP_TABLE_READ_ONLY);
        table = entry & ADDRESS & ~((UINT64_C(1) << half.granule) - 1);
    }
    const uint64_t page = entry & ADDRESS & ~((UINT64_C(1) << top) - 1);
    fault->status = FAULT_SIZE | (uint32_t)level;
    if (page >> half.output_bits)
        return false;
    fault->status = FAULT_ACCESS_FLAG | (uint32_t)level;
    if (flags && !(entry & ACCESS_FLAG))
        return false;
    *ipa = page | (va & ((UINT64_C(1) << top) - 1));
    *prot = rights(c, entry, tables, user);
    fault->status = FAULT_PERMISSION | (uint32_t)level;
    return allowed(*prot, access);
}

bool arm_translate(struct cpu *c, uint64_t va, enum access access, bool user, uint64_t *ipa, uint32_t *prot)
{
    struct arm_fault fault;
    struct arm_walk walk;
    return arm_stage1(c, va, access, user, false, ipa, prot, &fault, &walk);
}

unsigned arm_walked(struct cpu *c, uint64_t va, struct arm_entry entries[ARM_WALK_LEVELS], uint32_t *status)
{
    struct arm_fault fault;
    struct arm_walk walk;
    uint64_t ipa;
    uint32_t prot;
    const bool found = arm_stage1(c, va, ACCESS_READ, false, true, &ipa, &prot, &fault, &walk);
    *status = found ? ARM_NO_FAULT : fault.status;
    for (int i = 0; i < walk.count; i++)
        entries[i] = (struct arm_entry){walk.steps[i].ipa, walk.steps[i].value, walk.steps[i].entry_bytes, walk.steps[i].shift};
    return (unsigned)walk.count;
}

/* Bytes around an address for which a walk ends as for it; 0: the rest of this half of the addresses. */
static uint64_t extent(struct cpu *c, const struct arm_walk *walk)
{
    enum { HALVES_SHIFT = 25 };   /* AArch32's may begin and end at multiples of that (T0SZ, T1SZ) */
    if (walk->count)
        return UINT64_C(1) << walk->steps[walk->count - 1].shift;
    return ARM(c)->narrow ? UINT64_C(1) << HALVES_SHIFT : 0;
}

bool arm_next_mapped(struct cpu *c, uint64_t *va, uint64_t *ipa, uint64_t *bytes, uint32_t *prot, uint32_t *walks)
{
    const uint64_t last = ARM(c)->narrow ? UINT32_MAX : UINT64_MAX;
    const uint64_t upper = ARM(c)->narrow ? last : UINT64_MAX << half64(c, UINT64_MAX).bits;
    struct arm_fault fault;
    struct arm_walk walk;
    for (uint64_t at = *va; at <= last && *walks; --*walks) {
        const bool found = arm_stage1(c, at, ACCESS_READ, false, false, ipa, prot, &fault, &walk);
        if (!(ID(U_ENV_SCTLR) & SCTLR_M)) {
            *bytes = found ? (UINT64_C(1) << ENGINE_PHYSICAL_BITS) - at : 0;
            return found;
        }
        const uint64_t size = extent(c, &walk), next = size ? (at | (size - 1)) + 1 : at < upper ? upper : 0;
        if (found) {
            *va = at;
            *bytes = next - at;   /* of the last entry there is too, which ends at 2^64 */
            return true;
        }
        if (next == 0)
            return false;
        at = next;
    }
    return false;
}
