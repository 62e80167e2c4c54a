/* segment.c - descriptors of PV guests: which ones a guest may have, and loading a selector as the processor does.
 *
 * Invariant: a page of type PGT_seg holds only descriptors that seg_check_descriptor() let through. A guest may have any
 * code or data segment at DPL 3 (nothing is protected by segmentation in long mode), and call gates to its own code;
 * it may not have system segments (LDT, TSS), interrupt or task gates. DPL and the RPL of a gate's selector are forced
 * to 3, the ring of a 64-bit PV kernel. A descriptor that is not present always faults, so it is harmless as it is.
 * Facts: xen/arch/x86/pv/descriptor-tables.c; AMD64 APM volume 2, chapter 4.
 */
#include "pv.h"

/* ---- Xen's own descriptors: the page behind the guest's 14 ---- */

enum { GDT_RESERVED_FIRST = 0xe000 };

static const struct { uint16_t selector; uint64_t descriptor; } XEN_DESCRIPTORS[] = {
    {0xe008, 0x00af9b000000ffff},          /* __HYPERVISOR_CS */
    {0xe010, 0x00cf93000000ffff},          /* __HYPERVISOR_DS32 */
    {FLAT_RING3_CS32 & ~7, 0x00cffb000000ffff},
    {FLAT_RING3_SS32 & ~7, 0x00cff3000000ffff},
    {FLAT_RING3_CS64 & ~7, 0x00affb000000ffff},
};

void seg_fill_xen_gdt(uint64_t page[512])
{
    for (unsigned i = 0; i < sizeof XEN_DESCRIPTORS / sizeof *XEN_DESCRIPTORS; i++)
        page[(XEN_DESCRIPTORS[i].selector - GDT_RESERVED_FIRST) / 8] = XEN_DESCRIPTORS[i].descriptor;
}

/* ---- the hidden part of a segment register ---- */

static void unpack(uint32_t selector, uint64_t d, struct x86_segment_state *out)
{
    uint32_t low = (uint32_t)d, high = (uint32_t)(d >> 32), limit = (low & 0xffff) | (high & 0xf0000);
    memset(out, 0, sizeof *out);
    out->selector = selector;
    out->base = (low >> 16) | (high & 0xff) << 16 | (high & 0xff000000u);
    out->limit = high & SEG_ATTR_G ? limit << 12 | 0xfff : limit;
    out->attributes = high & 0x00f0ff00;
}

void seg_flat(uint32_t selector, struct x86_segment_state *out)
{
    uint64_t descriptor = 0;
    for (unsigned i = 0; i < sizeof XEN_DESCRIPTORS / sizeof *XEN_DESCRIPTORS; i++)
        if (XEN_DESCRIPTORS[i].selector == (selector & ~7u))
            descriptor = XEN_DESCRIPTORS[i].descriptor;
    unpack(selector, descriptor, out);
}

uint32_t seg_selector(struct cpu *cpu, enum x86_segment seg)
{
    struct x86_segment_state s;
    cpu_get_segment(cpu, seg, &s);
    return s.selector & 0xffff;
}

/* The descriptor that a selector names. false: beyond its table, or the table's page cannot be read. */
static bool read_descriptor(struct hv *hv, struct vcpu *v, uint32_t selector, uint64_t *out)
{
    uint32_t offset = selector & 0xfff8;
    if (selector & 4) {
        struct mapping map;
        struct cpu *cpu = hv_cpu_of(hv, v);
        if (offset / 8 >= v->ldt_entries)
            return false;
        if (!mm_translate(hv, cpu, cpu_segment_base(cpu, SEG_LDT) + offset, ACCESS_READ, false, &map))
            return false;
        return machine_read(hv->m, map.frame << ENGINE_PAGE_SHIFT | (offset & 0xfff), out, 8) == 0;
    }
    uint32_t page = offset >> ENGINE_PAGE_SHIFT;
    if (page > GDT_GUEST_PAGES)
        return false;
    uint64_t frame = page == GDT_GUEST_PAGES ? hv->s->xen_gdt_frame : v->gdt_frames[page];
    *out = 0;                     /* pages that the guest left out are full of null descriptors */
    return frame == 0 || machine_read(hv->m, frame << ENGINE_PAGE_SHIFT | (offset & 0xfff), out, 8) == 0;
}

/* May a segment register be loaded with this descriptor at CPL 3 and RPL 3? */
bool seg_loadable(enum x86_segment seg, uint32_t attributes)
{
    bool code = attributes & SEG_ATTR_CODE, dpl3 = (attributes & SEG_ATTR_DPL) == SEG_ATTR_DPL;
    bool rw = attributes & SEG_ATTR_RW, conforming = code && attributes & SEG_ATTR_EC;
    if (!(attributes & SEG_ATTR_S) || !(attributes & SEG_ATTR_P))
        return false;
    if (seg == SEG_CS)
        return code && (dpl3 || conforming) && !(attributes & SEG_ATTR_L && attributes & SEG_ATTR_DB);
    if (seg == SEG_SS)
        return !code && rw && dpl3;
    return code ? rw && (dpl3 || conforming) : dpl3;
}

bool seg_load(struct hv *hv, struct vcpu *v, enum x86_segment seg, uint32_t selector, struct x86_segment_state *out)
{
    uint64_t descriptor;
    selector &= 0xffff;
    if (selector == FLAT_KERNEL_CS || selector == FLAT_KERNEL_SS || selector == FLAT_USER_CS32) {
        seg_flat(selector, out);
        return seg_loadable(seg, out->attributes);
    }
    if (selector < 4) {           /* a null selector: fine for data, never for CS, and for SS not at CPL 3 */
        memset(out, 0, sizeof *out);
        out->selector = selector;
        return seg != SEG_CS && seg != SEG_SS;
    }
    if (!read_descriptor(hv, v, selector, &descriptor))
        return false;
    unpack(selector, descriptor, out);
    return seg_loadable(seg, out->attributes);
}

/* ---- which descriptors a guest may have ---- */

enum { GATE_TYPE_MASK = 0x1f00, GATE_TYPE_CALL = 0x0c00, GATE_RESERVED = 0xff };

/* A guest must not jump into Xen's own segments through a gate: null and the guest's pages, and Xen's flat ring-3 code. */
static bool gate_target_ok(uint32_t selector)
{
    return selector >= 4 && ((selector >> 3) < GDT_RESERVED_FIRST / 8 || selector == FLAT_KERNEL_CS ||
                             selector == FLAT_USER_CS32 || selector & 4);
}

bool seg_check_descriptor(uint64_t *descriptor)
{
    uint32_t low = (uint32_t)*descriptor, high = (uint32_t)(*descriptor >> 32);
    if (!(high & SEG_ATTR_P))
        return true;
    high |= SEG_ATTR_DPL;
    if (!(high & SEG_ATTR_S) && high & GATE_TYPE_MASK) {   /* type 0 is the second half of a call gate */
        if ((high & GATE_TYPE_MASK) != GATE_TYPE_CALL || high & GATE_RESERVED)
            return false;
        uint32_t target = low >> 16 | 3;
        if (!gate_target_ok(target))
            return false;
        low = (low & 0xffff) | target << 16;
    }
    *descriptor = (uint64_t)high << 32 | low;
    return true;
}

int seg_validate_frame(struct hv *hv, struct domain *d, uint64_t mfn)
{
    (void)d;
    uint64_t *page = machine_frame(hv->m, mfn);
    if (!page)
        return -EINVAL;
    for (unsigned i = 0; i < 512; i++) {
        uint64_t fixed = page[i];
        if (!seg_check_descriptor(&fixed))
            return -EINVAL;
        if (fixed != page[i]) {
            machine_write_begin(hv->m, mfn);
            page[i] = fixed;
        }
    }
    return 0;
}
