/* p2m_grant.c - grant mappings of domains that have a physmap: the granted frame stands at a guest frame of the user's.
 *
 * Invariants. The references of such a mapping belong to its maptrack entry (GNTMAP_host_map): one to the frame, and a writable
 * type reference unless it is read-only. So what the guest does to the physmap meanwhile drops nothing; an unmap that
 * finds another frame there changes nothing. What stood there before is not put back. Statuses are GNTST_*.
 * Facts: create_grant_p2m_mapping(), replace_grant_p2m_mapping() in xen/arch/x86/hvm/grant_table.c,
 * create_grant_host_mapping(), replace_grant_host_mapping() in xen/arch/arm/mm.c of Xen 4.17.
 */
#include "arch.h"
#include "mm.h"
#include "p2m.h"
#include "../abi/grant_table.h"

/* Flags beside these speak of page tables, which Xen does not write for such a domain. */
enum { KNOWN_FLAGS = GNTMAP_device_map | GNTMAP_host_map | GNTMAP_readonly | GNTMAP_application_map };

int p2m_map_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame)
{
    struct domain *d = hv_domain(hv, v);
    struct page_info *page = mm_page(hv, frame);
    const bool writable = !(flags & GNTMAP_readonly);
    uint64_t gfn = host_addr >> ENGINE_PAGE_SHIFT;
    if (!page || flags & ~(uint32_t)KNOWN_FLAGS || gfn >= P2M_FRAMES || !page_get(page))
        return GNTST_general_error;
    if (writable && !page_get_writable(page)) {
        page_put(hv, frame);
        return GNTST_general_error;
    }
    if (hv_p2m_set(hv, d, gfn, frame, writable ? P2M_RAM | P2M_WRITABLE : P2M_RAM) == 0)
        return GNTST_okay;
    p2m_put_grant(hv, flags, frame);
    return GNTST_general_error;
}

void p2m_put_grant(struct hv *hv, uint32_t flags, uint64_t frame)
{
    if (!(flags & GNTMAP_readonly))
        hv_put_page_type(hv, NULL, frame);
    hv_put_page(hv, frame);
}

int p2m_replace_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags, uint64_t frame)
{
    struct domain *d = hv_domain(hv, v);
    uint32_t kind;
    uint64_t gfn = host_addr >> ENGINE_PAGE_SHIFT, there = hv_p2m_get(hv, d, gfn, &kind);
    if (new_addr != 0 || there != frame || !(kind & P2M_WRITABLE) != !!(flags & GNTMAP_readonly) ||
        hv_p2m_set(hv, d, gfn, 0, 0) != 0)
        return GNTST_general_error;
    p2m_put_grant(hv, flags, frame);
    return GNTST_okay;
}

int mm_map_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame)
{
    return hv_arch_of(hv, v)->map_grant(hv, v, host_addr, flags, frame);
}

int mm_replace_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags, uint64_t frame)
{
    return hv_arch_of(hv, v)->replace_grant(hv, v, host_addr, new_addr, flags, frame);
}

int mm_unmap_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame)
{
    return mm_replace_grant(hv, v, host_addr, 0, flags, frame);
}
