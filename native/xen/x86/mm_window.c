/* mm_window.c - translation of the processor's accesses: the guest's own tables, and the windows of the hypervisor.
 *
 * Invariants. The hypervisor's part of the address space (L4 slots 256..271) has no page tables here. Three things in
 * it can be read, and nothing can be executed, or written by the guest:
 *
 *   MACH2PHYS_VIRT_START    the machine-to-phys table, by everybody (by the kernel alone with m2p_strict)
 *   ADDR_GDT_WINDOW + slot * 0x20000            16 pages of GDT of the vcpu in that slot, by the processor itself
 *   ADDR_GDT_WINDOW + slot * 0x20000 + 0x10000  16 pages of LDT, by the processor itself
 *
 * The processor sets the accessed bit in a descriptor that it loads, so it may write to the guest's pages there; a
 * missing page of the GDT reads as zeros. The processor believes what it reads in a descriptor, so a page is shown in a window only with a PGT_seg type
 * reference on it: validated, and writable nowhere while it is held. GDT pages got theirs from set_gdt; an LDT page
 * gets its at first use and keeps it in vcpu.ldt_frames until SET_LDT or a new kernel base pointer. Everything else
 * is walked through the table that CR3 names, whose entries mm_validate.c has seen.
 */
#include "../../abi/xen.h"
#include "direct_paging.h"

enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_FETCH = 16 };
static const uint32_t NEEDS[] = { [ACCESS_READ] = MAP_READ, [ACCESS_WRITE] = MAP_WRITE, [ACCESS_FETCH] = MAP_EXEC };
enum { WINDOW_SPAN = 0x20000, WINDOW_LDT = 0x10000 };

/* The frame of page `page` of the vcpu's LDT, taken as a descriptor page at first use; 0: there is none. */
static uint64_t ldt_frame(struct hv *hv, struct vcpu *v, unsigned page)
{
    uint64_t table, pte;
    unsigned slot;
    if (v->ldt_frames[page] != 0)
        return v->ldt_frames[page];
    if (page * PT_ENTRIES >= v->ldt_entries)
        return 0;
    if (mm_find_l1(hv, v, v->ldt_base + page * (uint64_t)ENGINE_PAGE_SIZE, &table, &slot) != 0)
        return 0;
    pte = mm_table(hv, table)[slot];
    if (!(pte & PTE_P) || mm_page_and_type_get(hv, pte_mfn(pte), v->domid, PGT_seg) != 0)
        return 0;
    return v->ldt_frames[page] = pte_mfn(pte);
}

void mm_put_ldt(struct hv *hv, struct vcpu *v)
{
    for (unsigned i = 0; i < LDT_PAGES; i++) {
        if (v->ldt_frames[i] == 0)
            continue;
        mm_page_and_type_put(hv, v->ldt_frames[i]);
        v->ldt_frames[i] = 0;
        hv->tlb_stale = true;
    }
}

/* The frame behind a GDT or LDT window and what the processor may do with it; false: nothing there. */
static bool descriptor_window(struct hv *hv, uint64_t offset, uint64_t *frame, uint32_t *prot)
{
    uint64_t slot = offset / WINDOW_SPAN;
    unsigned page = (unsigned)(offset % WINDOW_SPAN) >> ENGINE_PAGE_SHIFT;
    if (slot >= HV_MAX_VCPUS)
        return false;
    struct vcpu *v = &hv->s->vcpus[slot];
    if (page >= WINDOW_LDT >> ENGINE_PAGE_SHIFT) {
        *frame = ldt_frame(hv, v, page - (WINDOW_LDT >> ENGINE_PAGE_SHIFT));
        *prot |= MAP_WRITE;
        return *frame != 0;
    }
    *frame = page < GDT_GUEST_PAGES ? v->gdt_frames[page] : page == GDT_GUEST_PAGES ? hv->s->xen_gdt_frame : 0;
    if (page < GDT_GUEST_PAGES && *frame != 0)
        *prot |= MAP_WRITE;
    return true;                /* frame 0 is all null descriptors */
}

/* With VMASST_TYPE_m2p_strict the page tables of user mode do not show the machine-to-phys table. */
static bool m2p_hidden(struct hv *hv)
{
    const struct vcpu *v = hv->current;
    return v && !v->kernel_mode && hv_domain(hv, v)->vm_assist >> VMASST_TYPE_m2p_strict & 1;
}

static bool translate_window(struct hv *hv, uint64_t va, enum access access, bool user, struct mapping *map)
{
    uint64_t offset = va - ADDR_XEN_START;
    bool found = false;
    map->prot = MAP_READ;
    if (offset < hv->s->m2p_frames << ENGINE_PAGE_SHIFT && !m2p_hidden(hv)) {
        map->frame = hv->s->m2p_frame + (offset >> ENGINE_PAGE_SHIFT);
        found = true;
    } else if (va >= ADDR_GDT_WINDOW && va < ADDR_GDT_WINDOW + (uint64_t)HV_MAX_VCPUS * WINDOW_SPAN) {
        found = descriptor_window(hv, va - ADDR_GDT_WINDOW, &map->frame, &map->prot);
        if (user)
            map->prot = 0;
    }
    if (found && (map->prot & NEEDS[access]))
        return true;
    map->error = (found ? PF_PRESENT : 0u) | (access == ACCESS_WRITE ? PF_WRITE : 0u) | (user ? PF_USER : 0u) |
                 (access == ACCESS_FETCH ? PF_FETCH : 0u);
    return false;
}

bool mm_translate(void *ctx, struct cpu *cpu, uint64_t va, enum access access, bool user, struct mapping *map)
{
    struct hv *hv = ctx;
    if (va >= ADDR_XEN_START && va < ADDR_XEN_END)
        return translate_window(hv, va, access, user, map);
    uint64_t root = cpu_cr(cpu, 3);
    if (root == 0) {
        map->error = (access == ACCESS_WRITE ? PF_WRITE : 0u) | (user ? PF_USER : 0u);
        return false;
    }
    return x86_translate(hv->m, root, 4, true, va, access, user, true, true, map, NULL);
}
