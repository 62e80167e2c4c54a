/* validate_frames.c - are frames from a file what x86 keeps in them? For hv_validate() (../validate.h). */
#include "../validate.h"
#include "machine.h"
#include "pv.h"

static bool descriptors_ok(struct hv *hv, uint64_t f)
{
    const uint64_t *descriptor = mm_table(hv, f);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t fixed = descriptor[i];
        if (!seg_check_descriptor(&fixed) || fixed != descriptor[i])
            return false;
    }
    return true;
}

bool x86_frames_ok(struct validation *c)
{
    struct hv *hv = c->hv;
    uint64_t gdt[512] = {0}, xen = hv->s->xen_gdt_frame;
    for (uint64_t f = 0; f < hv->s->frames; f++) {
        const struct page_info *page = &hv->pages[f];
        if (page_type(page) == PGT_seg && page_type_count(page) != 0 && !descriptors_ok(hv, f))
            return validate_fail(c, "frame %#llx holds a descriptor that no guest may have", (unsigned long long)f);
    }
    seg_fill_xen_gdt(gdt);
    if (xen == 0 || xen >= hv->s->frames || hv->pages[xen].owner != OWNER_XEN ||
        memcmp(mm_table(hv, xen), gdt, sizeof gdt) != 0)
        return validate_fail(c, "Xen's descriptors are not in frame %#llx", (unsigned long long)xen);
    return true;
}
