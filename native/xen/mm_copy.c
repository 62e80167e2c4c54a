/* mm_copy.c - guest memory by linear address, for hypercalls.
 *
 * Invariants. A guest address is honoured with the rights that the guest itself has (of a PV guest: in its current mode; of
 * others: the kernel's, which makes the hypercalls), write protection on, accessed and dirty bits set. No byte outside a frame that the guest's own tables map is ever touched, and what a copy wrote before it met a
 * bad page stays written, as in Xen.
 */
#include "arch.h"

static uint8_t *memory(struct hv *hv, struct vcpu *v, uint64_t va, enum access access)
{
    return hv_arch_of(hv, v)->memory(hv, v, va, access);
}

int hv_copy_from_guest(struct hv *hv, struct vcpu *v, void *out, uint64_t va, uint64_t len)
{
    uint8_t *to = out;
    while (len != 0) {
        uint64_t part = ENGINE_PAGE_SIZE - (va & 0xfff);
        part = part < len ? part : len;
        const uint8_t *from = memory(hv, v, va, ACCESS_READ);
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
        uint8_t *to = memory(hv, v, va, ACCESS_WRITE);
        if (!to)
            return -EFAULT;
        memcpy(to, from, part);
        from += part, va += part, len -= part;
    }
    return 0;
}

uint64_t hv_peek(struct hv *hv, const struct vcpu *v, void *out, uint64_t va, uint64_t len)
{
    uint64_t done = 0;

    while (done < len) {
        uint64_t part = ENGINE_PAGE_SIZE - (va & 0xfff);
        const uint8_t *page = hv_arch_of(hv, v)->peek(hv, v, va);

        if (!page)
            break;
        part = part < len - done ? part : len - done;
        memcpy((uint8_t *)out + done, page + (va & 0xfff), part);
        done += part;
        va += part;
    }
    return done;
}
