/* mm_copy.c - guest memory by linear address, for hypercalls.
 *
 * Invariants. A guest address is honoured with the rights that the guest itself has: user access through the page
 * table of its current mode, write protection on, accessed and dirty bits set. Of an HVM guest the rights are ring 0's,
 * which makes its hypercalls. Addresses in the hypervisor's part are not guest memory, whatever a PV guest could read
 * there. No byte outside a frame that the guest's own tables map is ever touched, and what a copy wrote before it met a
 * bad page stays written, as in Xen.
 */
#include "mm.h"
#include "x86/hvm/hvm.h"

static uint64_t current_root(const struct vcpu *v) { return v->kernel_mode ? v->cr3_kernel : v->cr3_user; }

/* Host pointer to `va` as the guest maps it, good to the end of its page; NULL: no access. */
static uint8_t *guest_byte(struct hv *hv, struct vcpu *v, uint64_t va, enum access access)
{
    if (is_hvm(hv_domain(hv, v))) {
        uint64_t gpa;
        return hvm_linear_to_physical(hv, v, va, access, true, &gpa)
                   ? hvm_ram(hv, hv_domain(hv, v), gpa, access == ACCESS_WRITE) : NULL;
    }
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

int hv_copy_from_guest(struct hv *hv, struct vcpu *v, void *out, uint64_t va, uint64_t len)
{
    uint8_t *to = out;
    while (len != 0) {
        uint64_t part = ENGINE_PAGE_SIZE - (va & 0xfff);
        part = part < len ? part : len;
        const uint8_t *from = guest_byte(hv, v, va, ACCESS_READ);
        if (!from)
            return -EFAULT;
        memcpy(to, from, part);
        to += part, va += part, len -= part;
    }
    return 0;
}

int hv_copy_to_guest(struct hv *hv, struct vcpu *v, uint64_t va, const void *data, uint64_t len)
{
    const uint8_t *from = data;
    if (hv_stops_on(hv, HV_STOP_ACCESS) && len != 0)
        stops_copied(hv, v, va, len);
    while (len != 0) {
        uint64_t part = ENGINE_PAGE_SIZE - (va & 0xfff);
        part = part < len ? part : len;
        uint8_t *to = guest_byte(hv, v, va, ACCESS_WRITE);
        if (!to)
            return -EFAULT;
        memcpy(to, from, part);
        from += part, va += part, len -= part;
    }
    return 0;
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
