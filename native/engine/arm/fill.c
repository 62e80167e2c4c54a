/* fill.c - the one place where an address of an ARM guest becomes a frame: stage 1 by our walk, stage 2 by the layer above.
 *
 * Cached translations are never visible to a guest: stores to the tables that one was read from are seen (../tables.c), and a
 * change of a register that a walk depends on drops them all (sysreg.c). So a guest sees a processor that forgets each
 * translation at once, and TLBI has nothing to do, on whichever cpu.
 */
#include "cpu.h"

/* ---- faults ---- */

/* AArch32's fault status registers: of short descriptors, and of long ones, whose codes are those of a syndrome. */
static uint32_t fault_status(struct cpu *c, enum access access, const struct arm_fault *fault)
{
    enum { LONG = 1 << 9, WRITE = 1 << 11, DOMAIN_SHIFT = 4 };
    static const struct { uint8_t status, first, second; } SHORT[] = {
        {FAULT_TRANSLATION, 0x5, 0x7}, {FAULT_ACCESS_FLAG, 0x3, 0x6}, {FAULT_DOMAIN, 0x9, 0xb}, {FAULT_PERMISSION, 0xd, 0xf},
        {FAULT_EXTERNAL_WALK, 0xc, 0xe}, {FAULT_EXTERNAL, 0x8, 0x8},
    };
    const uint32_t write = access == ACCESS_WRITE ? WRITE : 0;
    if (!arm_short_tables(c))
        return LONG | write | fault->status;
    for (unsigned i = 0; i < sizeof SHORT / sizeof *SHORT; i++)
        if (SHORT[i].status == (fault->status & ~3u))
            return write | (fault->domain << DOMAIN_SHIFT) | ((fault->status & 3) == 2 ? SHORT[i].second : SHORT[i].first);
    return write | 0x8;           /* an address that is too large: there is nothing */
}

static bool is_external(uint32_t status) { return status == FAULT_EXTERNAL || (status & ~3u) == FAULT_EXTERNAL_WALK; }

void arm_abort(struct cpu *c, uint64_t va, enum access access, const struct arm_fault *fault, uintptr_t ra)
{
    if (ra)
        WRAP(cpu_restore_state)(c->cs, ra, true);
    else
        arm_between_blocks(c);
    const bool fetch = access == ACCESS_FETCH;
    if (fetch)
        arm_check_pc(c, arm_pc(c));
    const uint32_t class = (fetch ? EC_FETCH_LOWER : EC_DATA_LOWER) + arm_level(c);
    const uint32_t iss = (access == ACCESS_WRITE ? (uint32_t)ISS_WNR : 0u) | fault->status, fsr = fault_status(c, access, fault);
    struct arm_abort_report report = {.iss = iss, .fsr_long = fsr, .fsr_short = fsr};
    if (c->ops->abort_report && is_external(fault->status))
        report = *c->ops->abort_report;
    ENV(uint64_t, U_ENV_VADDRESS) = va;
    ENV(uint32_t, U_ENV_FSR) = arm_short_tables(c) ? report.fsr_short : report.fsr_long;
    raise_exception_aarch64(c->env, fetch ? U_EXCP_PREFETCH_ABORT : U_EXCP_DATA_ABORT, class << EC_SHIFT | ESR_IL | report.iss, 1);
}

/* ---- tables ---- */

/* Each frame that the walk read from is a table from now on, as far as it is one. */
static void note_tables(struct cpu *c, uint64_t va, const struct arm_walk *walk)
{
    const uint64_t low = va << 16 >> 16;
    for (int i = 0; i < walk->count; i++) {
        const struct arm_step *s = &walk->steps[i];
        const uint32_t offset = (uint32_t)s->place & (ENGINE_PAGE_SIZE - 1);
        const uint32_t bytes = s->table_bytes < ENGINE_PAGE_SIZE ? s->table_bytes : ENGINE_PAGE_SIZE, start = offset & ~(bytes - 1);
        const struct table_use use = {
            .base = ((low >> s->shift) - (offset - start) / s->entry_bytes) << s->shift, .start = start, .bytes = bytes,
            .shift = (uint8_t)s->shift, .entry_bytes = (uint8_t)s->entry_bytes, .always = true, .present = s->entry_bytes == 4 ? 3 : 1};
        machine_note_table(c->m, s->place >> ENGINE_PAGE_SHIFT, &use);
    }
}

/* ---- filling ---- */

static bool find(struct cpu *c, uint64_t va, enum access access, bool user, struct mapping *map, struct arm_fault *fault)
{
    struct arm_walk walk;
    uint64_t ipa;
    uint32_t prot;
    if (!arm_stage1(c, va, access, user, true, &ipa, &prot, fault, &walk))
        return false;
    const uint64_t page = ipa & ~(uint64_t)(ENGINE_PAGE_SIZE - 1);
    bool mapped = c->ops->stage2(c->ops->ctx, c, page, access, map);
    if (mapped && map->prot & MAP_DEVICE)
        mapped = access != ACCESS_FETCH;
    else if (mapped)
        mapped = map->frame < c->m->frames && map->prot & (access == ACCESS_WRITE ? MAP_WRITE : access == ACCESS_FETCH ? MAP_EXEC : MAP_READ);
    fault->status = FAULT_EXTERNAL;
    if (!mapped)
        return false;
    map->prot &= prot | MAP_DEVICE;
    if (walk.count)
        note_tables(c, va, &walk);
    return true;
}

bool T(target_tlb_fill)(void *cs, uint64_t va, int size, int access, int mmu, bool probe, uintptr_t ra)
{
    struct cpu *c = cpu_of_cs(cs);
    struct mapping map = {0};
    struct arm_fault fault;
    if (!find(c, va, (enum access)access, mmu == U_MMU_USER, &map, &fault)) {
        if (probe)
            return false;
        arm_abort(c, va, (enum access)access, &fault, ra);
    }
    if (ARM(c)->refusing && map.prot & MAP_DEVICE && map.frame == ARM(c)->refused && !probe) {
        ARM(c)->refusing = false;
        fault.status = FAULT_EXTERNAL;
        arm_abort(c, va, (enum access)access, &fault, ra);
    }
    cpu_insert(c, va, &map, size, (enum access)access, mmu, ra);
    return true;
}
