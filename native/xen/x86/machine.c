/* machine.c - what x86 has in every machine: caches, a frame of descriptors, and direct paging (../arch.h, ../mm.h). */
#include "decode.h"
#include "machine.h"
#include "pv.h"
#include "hvm/shadow.h"

static int make_xen_gdt(struct hv *hv)
{
    uint64_t frame = hv_alloc_frame(hv, OWNER_XEN);
    if (frame == ~0ull)
        return -ENOMEM;
    hv->s->xen_gdt_frame = frame;
    machine_write_begin(hv->m, frame);
    seg_fill_xen_gdt(machine_frame(hv->m, frame));
    return 0;
}

static int created(struct hv *hv)
{
    hv->decode = decode_create();
    return hv->decode ? make_xen_gdt(hv) : -ENOMEM;
}

static void destroyed(struct hv *hv)
{
    decode_destroy(hv->decode);
    shadow_destroy(hv->shadows);
}

static void restored(struct hv *hv)
{
    hv->code_page.host = NULL;
    hv_shadow_drop(hv);
}

const struct arch_machine X86_MACHINE = {
    .created = created, .destroyed = destroyed, .restored = restored, .frames_ok = x86_frames_ok, .audit = hvm_audit,
};

static void vcpu_destroyed(struct hv *hv, struct vcpu *v)
{
    uint64_t *bases[] = { &v->cr3_kernel, &v->cr3_user };
    mm_put_ldt(hv, v);
    v->ldt_entries = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (*bases[i] != 0)
            mm_page_and_type_put(hv, *bases[i] >> 12);
        *bases[i] = 0;
    }
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++) {
        if (v->gdt_frames[i] != 0)
            mm_page_and_type_put(hv, v->gdt_frames[i]);
        v->gdt_frames[i] = 0;
    }
    v->gdt_entries = 0;
    hv->code_page.host = NULL;
}

const struct direct_paging DIRECT_PAGING = {
    .promote = mm_promote, .demote = mm_demote, .vcpu_destroyed = vcpu_destroyed, .audit_frame = mm_audit_frame,
    .audit_vcpu = mm_audit_vcpu,
};
