/* paging.c - from a linear address of an HVM guest to memory: its own page tables, then the p2m.
 *
 * The guest's paging mode follows from CR0, CR4 and EFER. What the walk gives is a guest frame; where the p2m has RAM
 * for it, that is mapped; where it has none, or read-only memory is written to, the access is a device's (io.c). With shadows
 * (shadow.c) both steps are one, for what was walked before.
 */
#include "shadow.h"
#include "../../p2m.h"

#define A20 (UINT64_C(1) << 20)

static uint64_t frame_of(void *ctx, uint64_t gfn, bool *writable)
{
    struct hv *hv = ctx;
    uint64_t entry = p2m_get(hv, &hvm_of(hv, hv_domain(hv, hv->walker))->p2m, gfn);
    *writable = entry & P2M_WRITABLE;
    return entry & P2M_RAM ? entry >> P2M_FRAME_SHIFT : UINT64_MAX;
}

struct x86_paging hvm_paging(struct hv *hv, struct cpu *cpu, const struct vcpu *v)
{
    uint64_t cr4 = cpu_cr(cpu, 4), efer = cpu_efer(cpu);
    hv->walker = v;
    return (struct x86_paging){
        .root = cpu_cr(cpu, 3), .levels = efer & EFER_LMA ? 4 : cr4 & CR4_PAE ? 3 : 2, .nx = efer & EFER_NX,
        .write_protect = cpu_cr(cpu, 0) & CR0_WP, .large = cr4 & CR4_PSE, .frame_of = frame_of, .ctx = hv};
}

static uint64_t with_a20(const struct hvm_domain *h, uint64_t frame)
{
    return h->a20 ? frame : frame & ~(A20 >> ENGINE_PAGE_SHIFT);
}

static void unpaged(uint64_t va, struct mapping *map)
{
    *map = (struct mapping){.frame = (va & 0xffffffff) >> ENGINE_PAGE_SHIFT, .prot = MAP_READ | MAP_WRITE | MAP_EXEC};
}

uint64_t hvm_p2m_at(struct hv *hv, const struct hvm_domain *h, uint64_t gfn)
{
    return gfn == LAPIC_BASE >> ENGINE_PAGE_SHIFT ? 0 : p2m_get(hv, &h->p2m, gfn);
}

/* From the guest frame that `map` has to the machine's, or to a device's. Returns the p2m's entry. */
static uint64_t through_p2m(struct hv *hv, const struct hvm_domain *h, enum access access, struct mapping *map)
{
    uint64_t gfn = with_a20(h, map->frame), entry = hvm_p2m_at(hv, h, gfn);
    if (!(entry & P2M_RAM) || (access == ACCESS_WRITE && !(entry & P2M_WRITABLE))) {
        map->prot |= MAP_DEVICE;
        map->frame = gfn;
        if (entry & P2M_RAM)      /* written to, and no RAM for that; reads go to the memory itself */
            map->prot &= ~(uint32_t)MAP_READ;
        return entry;
    }
    if (!(entry & P2M_WRITABLE))
        map->prot &= ~(uint32_t)MAP_WRITE;
    map->frame = entry >> P2M_FRAME_SHIFT;
    return entry;
}

bool hvm_translate(void *ctx, struct cpu *cpu, uint64_t va, enum access access, bool user, struct mapping *map)
{
    struct hv *hv = ctx;
    const struct vcpu *v = hv->current;
    const struct hvm_domain *h = hvm_of(hv, hv_domain(hv, v));
    if (!(cpu_cr(cpu, 0) & CR0_PG)) {
        unpaged(va, map);
        through_p2m(hv, h, access, map);
        return true;
    }
    const struct x86_paging paging = hvm_paging(hv, cpu, v);
    const bool shadowed = shadow_wanted(hv) && h->a20;
    struct x86_walk tables;
    if (shadowed && shadow_find(hv, v, &paging, va, access, user, map))
        return true;
    if (!x86_translate_guest(hv->m, &paging, va, access, user, true, map, &tables))
        return false;
    x86_note_tables(hv->m, &paging, va, &tables);
    map->page_bytes = 0;          /* INVLPG has nothing to forget */
    uint64_t gfn = map->frame, entry = through_p2m(hv, h, access, map);
    if (shadowed && !(map->prot & MAP_DEVICE))
        shadow_fill(hv, v, &paging, va, access, &tables, gfn, entry);
    return true;
}

/* The guest frame of `va`, for the host. */
static bool look(struct hv *hv, const struct vcpu *v, uint64_t va, enum access access, bool user, bool update,
                 struct hvm_path *path, struct mapping *map)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    path->paging.levels = 0;
    if (cpu_cr(cpu, 0) & CR0_PG) {
        path->paging = hvm_paging(hv, cpu, v);
        if (!x86_translate_guest(hv->m, &path->paging, va, access, user, update, map, &path->tables))
            return false;
    } else {
        unpaged(va, map);
    }
    map->frame = with_a20(hvm_of(hv, hv_domain(hv, v)), map->frame);
    return true;
}

bool hvm_look(struct hv *hv, const struct vcpu *v, uint64_t va, enum access access, bool user, struct hvm_path *path,
              struct mapping *map)
{
    return look(hv, v, va, access, user, false, path, map);
}

bool hvm_linear_to_physical(struct hv *hv, struct vcpu *v, uint64_t va, enum access access, bool update, uint64_t *gpa)
{
    struct hvm_path path;
    struct mapping map = {0};
    if (!look(hv, v, va, access, false, update, &path, &map))
        return false;
    *gpa = map.frame << ENGINE_PAGE_SHIFT | (va & (ENGINE_PAGE_SIZE - 1));
    return true;
}

uint64_t hv_linear_page(struct hv *hv, struct vcpu *v, uint64_t va)
{
    uint64_t gpa;
    return hvm_linear_to_physical(hv, v, va, ACCESS_READ, false, &gpa) ? gpa & ~UINT64_C(0xfff) : ~UINT64_C(0);
}
