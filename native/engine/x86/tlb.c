/* tlb.c - translations of an x86 cpu's linear addresses: the layer above finds them, ../target/tlb.c caches them.
 *
 * Cached translations are never visible to a guest: whoever changes page tables calls machine_tlb_stale(), and stores to
 * tables that a guest writes by itself are seen (../tables.c).
 */
#include "cpu.h"

bool T(target_tlb_fill)(void *cs, uint64_t va, int size, int access, int mmu, bool probe, uintptr_t ra)
{
    struct cpu *c = cpu_of_cs(cs);
    struct mapping map = {0};
    bool mapped = c->ops->translate(c->ops->ctx, c, va, (enum access)access, mmu == U_MMU_USER, &map);
    if (map.prot & MAP_DEVICE ? access == ACCESS_FETCH : map.frame >= c->m->frames)
        mapped = false;
    if (mapped) {
        cpu_insert(c, va, &map, size, (enum access)access, mmu, ra);
        return true;
    }
    if (probe)
        return false;
    ENV(uint64_t, U_ENV_CR + 16) = va;
    c->settled = ra == 0;         /* looking for the next block: the one before has retired */
    raise_exception_err_ra_x86_64(c->env, VECTOR_PF, (int)map.error, ra);
}
