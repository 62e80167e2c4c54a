/* short.c - stage 1 by the short descriptors of AArch32 (DDI 0487, G5.4): sections, supersections, pages of 64 and 4 KiB, domains. */
#include "cpu.h"

enum { KIND = 3, KIND_TABLE = 1, SUPERSECTION = 1 << 18, KIND_LARGE = 1 };
enum { DOMAIN_NONE = 0, DOMAIN_CLIENT = 1, DOMAIN_MANAGER = 3 };
enum { SECTION_SHIFT = 20, SUPERSECTION_SHIFT = 24, LARGE_SHIFT = 16, SMALL_SHIFT = 12 };

/* AP[2:0] to rights, of EL1 and EL0 (G5.6.1). */
static uint32_t rights(unsigned ap, bool user, bool simplified)
{
    static const uint8_t PRIVILEGED[8] = {0, MAP_READ | MAP_WRITE, MAP_READ | MAP_WRITE, MAP_READ | MAP_WRITE, 0, MAP_READ, MAP_READ, MAP_READ};
    static const uint8_t USER[8] = {0, 0, MAP_READ, MAP_READ | MAP_WRITE, 0, 0, MAP_READ, MAP_READ};
    if (simplified)               /* SCTLR.AFE: AP[0] is the access flag */
        ap |= 1;
    return user ? USER[ap] : PRIVILEGED[ap];
}

struct leaf { uint64_t page; unsigned shift, ap, domain; bool never, privileged_never; };

static struct leaf section(uint32_t entry)
{
    const bool large = entry & SUPERSECTION;
    struct leaf leaf = {.page = entry & 0xfff00000, .shift = SECTION_SHIFT, .ap = (entry >> 10 & 3) | (entry >> 13 & 4),
                        .domain = entry >> 5 & 15, .never = entry >> 4 & 1, .privileged_never = entry & 1};
    if (large) {
        leaf.page = (entry & 0xff000000) | (uint64_t)(entry >> 20 & 15) << 32 | (uint64_t)(entry >> 5 & 15) << 36;
        leaf.shift = SUPERSECTION_SHIFT;
        leaf.domain = 0;
    }
    return leaf;
}

static struct leaf small_page(uint32_t first, uint32_t entry)
{
    struct leaf leaf = {.page = entry & 0xfffff000, .shift = SMALL_SHIFT, .ap = (entry >> 4 & 3) | (entry >> 7 & 4),
                        .domain = first >> 5 & 15, .never = entry & 1, .privileged_never = first >> 2 & 1};
    if ((entry & KIND) == KIND_LARGE) {
        leaf.page = entry & 0xffff0000;
        leaf.shift = LARGE_SHIFT;
        leaf.never = entry >> 15 & 1;
    }
    return leaf;
}

bool arm_stage1_short(struct cpu *c, uint32_t va, enum access access, bool user, bool flags, uint64_t *ipa, uint32_t *prot,
                      struct arm_fault *fault, struct arm_walk *walk)
{
    enum { PD0 = 1 << 4, PD1 = 1 << 5, FIRST_ENTRIES = 4096 };
    const uint64_t sctlr = ID(U_ENV_SCTLR);
    const uint32_t ttbcr = (uint32_t)FIELD(uint64_t, c->env, U_ENV_TCR + U_TCR_SIZE + U_TCR_RAW), n = ttbcr & 7;
    const bool upper = n && va >> (32 - n);
    const uint32_t entries = upper ? FIRST_ENTRIES : FIRST_ENTRIES >> n;
    const uint64_t base = ENV(uint64_t, (upper ? U_ENV_TTBR1 : U_ENV_TTBR0) + 8) & UINT32_MAX & ~(uint64_t)(4 * entries - 1);
    fault->status = FAULT_TRANSLATION | 1;
    if (ttbcr & (upper ? PD1 : PD0))
        return false;
    const struct arm_step first_step = {.shift = SECTION_SHIFT, .entry_bytes = 4, .table_bytes = 4 * entries};
    uint64_t first, second = 0;
    if (!arm_read_entry(c, base + 4 * (va >> SECTION_SHIFT & (entries - 1)), &first_step, 1, &first, fault, walk))
        return false;
    int level = 1;
    struct leaf leaf;
    fault->status = FAULT_TRANSLATION | 1;
    if (!(first & KIND))
        return false;
    if ((first & KIND) == KIND_TABLE) {
        const struct arm_step step = {.shift = SMALL_SHIFT, .entry_bytes = 4, .table_bytes = 1024};
        level = 2;
        fault->domain = first >> 5 & 15;
        if (!arm_read_entry(c, (first & 0xfffffc00) + 4 * (va >> SMALL_SHIFT & 255), &step, level, &second, fault, walk))
            return false;
        fault->status = FAULT_TRANSLATION | 2;
        if (!(second & KIND))
            return false;
        leaf = small_page((uint32_t)first, (uint32_t)second);
    } else {
        leaf = section((uint32_t)first);
    }
    fault->domain = leaf.domain;
    const unsigned domain = ENV(uint32_t, U_ENV_DACR) >> 2 * leaf.domain & 3;
    fault->status = FAULT_ACCESS_FLAG | (uint32_t)level;
    if (flags && sctlr & SCTLR_AFE && !(leaf.ap & 1))
        return false;
    fault->status = FAULT_DOMAIN | (uint32_t)level;
    if (domain != DOMAIN_CLIENT && domain != DOMAIN_MANAGER)
        return false;
    *ipa = leaf.page | (va & ((1u << leaf.shift) - 1));
    fault->status = FAULT_PERMISSION | (uint32_t)level;
    *prot = MAP_READ | MAP_WRITE | MAP_EXEC;
    if (domain == DOMAIN_CLIENT) {
        *prot = rights(leaf.ap, user, sctlr & SCTLR_AFE);
        bool never = leaf.never || (!user && leaf.privileged_never) || !(*prot & MAP_READ) || (sctlr & SCTLR_WXN && *prot & MAP_WRITE);
        *prot |= never ? 0 : MAP_EXEC;
    }
    return *prot & (access == ACCESS_WRITE ? MAP_WRITE : access == ACCESS_FETCH ? MAP_EXEC : MAP_READ);
}
