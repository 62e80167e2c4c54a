/* mm_memory.c - guest memory by linear address, of a PV guest.
 *
 * User access through the page table of its current mode. Addresses in the hypervisor's part are not guest memory, whatever
 * the guest could read there.
 */
#include "direct_paging.h"
#include "pv.h"

static uint64_t current_root(const struct vcpu *v) { return v->kernel_mode ? v->cr3_kernel : v->cr3_user; }

uint8_t *pv_memory(struct hv *hv, struct vcpu *v, uint64_t va, enum access access)
{
    uint64_t root = current_root(v);
    struct mapping map;
    if (!addr_ok(va) || root == 0 ||
        !x86_translate(hv->m, root, 4, true, va, access, true, true, true, &map, NULL))
        return NULL;
    if (access == ACCESS_WRITE)
        machine_write_begin(hv->m, map.frame);
    uint8_t *frame = machine_frame(hv->m, map.frame);
    return frame ? frame + (va & 0xfff) : NULL;
}

const uint8_t *pv_peek(struct hv *hv, const struct vcpu *v, uint64_t va)
{
    uint64_t root = current_root(v);
    struct mapping map;
    if (root == 0 || !addr_ok(va) ||
        !x86_translate(hv->m, root, 4, true, va, ACCESS_READ, true, true, false, &map, NULL))
        return NULL;
    return machine_frame(hv->m, map.frame);
}

/* Does the page still translate as it did? Its entries are compared where they were read. */
static bool still_mapped(struct hv *hv, const struct guest_array *cache)
{
    uint64_t changed = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t pa = cache->walk.entry_pa[i];
        changed |= mm_table(hv, pa >> 12)[(pa >> 3) & (PT_ENTRIES - 1)] ^ cache->walk.entry[i];
    }
    return !(changed & ~(PTE_A | PTE_D));
}

int mm_array_read(struct hv *hv, struct vcpu *v, struct guest_array *cache, uint64_t va, void *out, uint32_t size)
{
    uint64_t offset = va & 0xfff, page = va - offset;
    struct mapping map;
    if (offset + size > ENGINE_PAGE_SIZE || !addr_ok(va))
        return hv_copy_from_guest(hv, v, out, va, size);
    if (!cache->host || cache->page_va != page || !still_mapped(hv, cache)) {
        uint64_t root = current_root(v);
        cache->host = NULL;
        if (root == 0 || !x86_translate(hv->m, root, 4, true, page, ACCESS_READ, true, true, true, &map, &cache->walk))
            return -EFAULT;
        cache->page_va = page;
        cache->host = machine_frame(hv->m, map.frame);
    }
    memcpy(out, cache->host + offset, size);
    return 0;
}
