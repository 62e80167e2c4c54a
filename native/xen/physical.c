/* physical.c - guest-physical memory, for the host: what is RAM by the p2m, and nothing else. */
#include "p2m.h"

uint8_t *hv_ram(struct hv *hv, const struct domain *d, uint64_t gpa, bool write)
{
    uint64_t entry = p2m_get(hv, p2m_of(hv, d), gpa >> ENGINE_PAGE_SHIFT);
    if (!(entry & P2M_RAM) || (write && !(entry & P2M_WRITABLE)))
        return NULL;
    if (write)
        machine_write_begin(hv->m, entry >> P2M_FRAME_SHIFT);
    return (uint8_t *)machine_frame(hv->m, entry >> P2M_FRAME_SHIFT) + (gpa & (ENGINE_PAGE_SIZE - 1));
}

int hv_physical_read(struct hv *hv, const struct domain *d, uint64_t gpa, uint8_t *out, uint64_t len)
{
    int result = 0;
    while (len != 0) {
        uint64_t part = ENGINE_PAGE_SIZE - (gpa & (ENGINE_PAGE_SIZE - 1));
        part = part < len ? part : len;
        const uint8_t *from = hv_ram(hv, d, gpa, false);
        if (from)
            memcpy(out, from, part);
        else
            memset(out, 0xff, part), result = -EFAULT;
        out += part, gpa += part, len -= part;
    }
    return result;
}

int hv_physical_write(struct hv *hv, const struct domain *d, uint64_t gpa, const uint8_t *data, uint64_t len)
{
    int result = 0;
    while (len != 0) {
        uint64_t part = ENGINE_PAGE_SIZE - (gpa & (ENGINE_PAGE_SIZE - 1));
        part = part < len ? part : len;
        uint8_t *to = hv_ram(hv, d, gpa, true);
        if (to)
            memcpy(to, data, part);
        else
            result = -EFAULT;
        data += part, gpa += part, len -= part;
    }
    return result;
}
