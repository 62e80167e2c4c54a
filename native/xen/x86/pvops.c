/* pvops.c - small hypercalls of the PV cpu: stacks, segment bases, the FPU's task-switch bit, descriptors.
 * Facts: xen/arch/x86/pv/{misc-hypercalls,descriptor-tables}.c of Xen 4.17. */
#include "pv.h"

int64_t do_stack_switch(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    (void)hv;
    v->kernel_ss = (args[0] & 0xffff) | 3;
    v->kernel_sp = args[1];
    return 0;
}

void pv_set_ts(struct hv *hv, struct vcpu *v, bool set)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    v->fpu_taskswitch = set;
    v->ctrlreg[0] = set ? v->ctrlreg[0] | CR0_TS : v->ctrlreg[0] & ~CR0_TS;
    cpu_set_cr(cpu, 0, set ? CR0_PV | CR0_TS : CR0_PV);
}

int64_t do_fpu_taskswitch(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    pv_set_ts(hv, v, (uint32_t)args[0] != 0);
    return 0;
}

/* Load the user's %gs without touching the kernel's base: the selector becomes visible, its base waits for user mode. An
 * unloadable selector becomes null, without an errno: Xen never gave one, and Linux relies on it. */
static void load_user_gs(struct hv *hv, struct vcpu *v, uint32_t selector)
{
    struct x86_segment_state segment;
    struct cpu *cpu = hv_cpu_of(hv, v);
    if (selector > 3)
        selector |= 3;
    if (!seg_load(hv, v, SEG_GS, selector, &segment))
        seg_load(hv, v, SEG_GS, 0, &segment);
    v->gs_base_user = segment.base;
    segment.base = cpu_segment_base(cpu, SEG_GS);
    cpu_set_segment(cpu, SEG_GS, &segment);
}

int64_t do_set_segment_base(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint32_t which = (uint32_t)args[0];
    uint64_t base = args[1];
    if (which > SEGBASE_GS_USER_SEL)
        return hv_refuse(hv, RULE_segment_base_which, which, 0, 0, 0);
    if (which == SEGBASE_GS_USER_SEL) {
        load_user_gs(hv, v, base & 0xffff);
        return 0;
    }
    if (!x86_canonical(base))
        return hv_refuse(hv, RULE_segment_base_canonical, base, 0, 0, 0);
    if (which == SEGBASE_GS_USER)
        v->gs_base_user = base;
    else
        cpu_set_segment_base(hv_cpu_of(hv, v), which == SEGBASE_FS ? SEG_FS : SEG_GS, base);
    return 0;
}

/* ---- descriptors ---- */

enum { GDT_FRAMES_MAX = 14, GDT_ENTRIES_A_FRAME = 512 };

static int take_gdt_frame(struct hv *hv, struct domain *d, uint64_t mfn)
{
    if (mfn >= hv->s->frames || hv_get_page(hv, mfn, d->domid))
        return -EINVAL;
    if (hv_get_page_type(hv, d, mfn, PGT_seg)) {
        hv_put_page(hv, mfn);
        return -EINVAL;
    }
    return 0;
}

static void drop_gdt_frame(struct hv *hv, struct domain *d, uint64_t mfn)
{
    hv_put_page_type(hv, d, mfn);
    hv_put_page(hv, mfn);
}

int hv_set_gdt(struct hv *hv, struct vcpu *v, const uint64_t *frames, uint32_t entries)
{
    struct domain *d = hv_domain(hv, v);
    uint32_t count = (entries + GDT_ENTRIES_A_FRAME - 1) / GDT_ENTRIES_A_FRAME;
    if (entries > GDT_FRAMES_MAX * GDT_ENTRIES_A_FRAME)
        return (int)hv_refuse(hv, RULE_gdt_entries, entries, GDT_FRAMES_MAX * GDT_ENTRIES_A_FRAME, 0, 0);
    for (uint32_t i = 0; i < count; i++)
        if (take_gdt_frame(hv, d, frames[i])) {
            uint64_t refused = frames[i];
            while (i-- > 0)
                drop_gdt_frame(hv, d, frames[i]);
            return (int)hv_refuse(hv, RULE_gdt_frame, refused, 0, 0, 0);
        }
    for (uint32_t i = 0; i < GDT_FRAMES_MAX; i++) {
        if (v->gdt_frames[i])
            drop_gdt_frame(hv, d, v->gdt_frames[i]);
        v->gdt_frames[i] = i < count ? frames[i] : 0;
    }
    v->gdt_entries = entries;
    hv->tlb_stale = true;         /* the window onto the GDT shows other frames now */
    return 0;
}

int64_t do_set_gdt(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint64_t frames[GDT_FRAMES_MAX];
    uint32_t entries = (uint32_t)args[1];
    uint64_t bytes = (entries + GDT_ENTRIES_A_FRAME - 1ull) / GDT_ENTRIES_A_FRAME * sizeof frames[0];
    if (bytes > sizeof frames)
        return hv_refuse(hv, RULE_gdt_entries, entries, GDT_FRAMES_MAX * GDT_ENTRIES_A_FRAME, 0, 0);
    if (hv_copy_from_guest(hv, v, frames, args[0], bytes))
        return hv_refuse(hv, RULE_bad_guest_pointer, args[0], bytes, 0, 0);
    return hv_set_gdt(hv, v, frames, entries);
}

int64_t do_update_descriptor(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint64_t pa = args[0], descriptor = args[1], mfn = pa >> ENGINE_PAGE_SHIFT;
    struct domain *d = hv_domain(hv, v);
    if (pa & 7)
        return hv_refuse(hv, RULE_descriptor_alignment, pa, 0, 0, 0);
    if (mfn >= hv->s->frames || hv_get_page(hv, mfn, d->domid))
        return hv_refuse(hv, RULE_descriptor_frame, mfn, 0, 0, 0);
    int64_t result = 0;
    bool in_use = hv->pages[mfn].type_info >> PGT_TYPE_SHIFT == PGT_seg;
    if (!seg_check_descriptor(&descriptor)) {
        result = hv_refuse(hv, RULE_descriptor_type, args[1], 0, 0, 0);
    } else if (hv_get_page_type(hv, d, mfn, in_use ? PGT_seg : PGT_writable)) {
        result = hv_refuse(hv, RULE_descriptor_frame_type, mfn, 0, 0, 0);
    } else {
        machine_write(hv->m, pa, &descriptor, sizeof descriptor);
        hv_put_page_type(hv, d, mfn);
    }
    hv_put_page(hv, mfn);
    return result;
}
