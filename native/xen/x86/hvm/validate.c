/* hvm/validate.c - may this be the state of a domain under full virtualisation? Asked of state that comes from a file
 * (../validate.c says how).
 *
 * A whole processor's registers may be anything that it lets a guest load; what follows from others is found out by putting
 * them into a processor and reading them again. A PVH domain has no devices: what HVM adds must be as a reset leaves it. What
 * a PC's devices keep in the arena is looked at here, what they keep in Python where the file is read (hv/debug/saved_*.py).
 */
#include <stddef.h>
#include <stdlib.h>
#include "hvm.h"
#include "../../validate.h"

/* ---- registers ---- */

#define RFLAGS_WHOLE UINT64_C(0x3f7fd7)      /* all that are defined */
#define ATTRIBUTES 0x00f0ff00u               /* of a descriptor, where the engine keeps them */
enum { X87_BYTES = 10, X87_STRIDE = 16 };

#define REGISTER(field, most) {#field, offsetof(struct x86_state, field), sizeof(((struct x86_state *)NULL)->field), most}
static const struct limit register_limits[] = {
    REGISTER(rflags, RFLAGS_WHOLE), REGISTER(cr0, UINT32_MAX), REGISTER(cr3, (UINT64_C(1) << ENGINE_PHYSICAL_BITS) - 1), REGISTER(cr8, 0),
    REGISTER(xcr0, 1), REGISTER(gdt_limit, 0xffff), REGISTER(idt_limit, 0xffff), REGISTER(dr[4], 0), REGISTER(dr[5], 0),
    REGISTER(dr[6], UINT32_MAX), REGISTER(dr[7], UINT32_MAX), REGISTER(sysenter_cs, UINT32_MAX), REGISTER(fmask, UINT32_MAX),
    REGISTER(tsc_aux, UINT32_MAX), REGISTER(pad0, 0), REGISTER(interrupt_shadow, 1), REGISTER(halted, 0),
    REGISTER(nmi_blocked, 1),
};

/* Addresses that a processor in long mode keeps canonical, and one in any other keeps shorter. */
static const struct { const char *name; size_t offset; } register_addresses[] = {
    {"gdt_base", offsetof(struct x86_state, gdt_base)}, {"idt_base", offsetof(struct x86_state, idt_base)},
    {"lstar", offsetof(struct x86_state, lstar)}, {"cstar", offsetof(struct x86_state, cstar)},
    {"kernel_gs_base", offsetof(struct x86_state, kernel_gs_base)},
    {"sysenter_esp", offsetof(struct x86_state, sysenter_esp)}, {"sysenter_eip", offsetof(struct x86_state, sysenter_eip)},
};

static bool segment_ok(enum x86_segment seg, const struct x86_segment_state *s)
{
    bool wide = seg == SEG_FS || seg == SEG_GS || seg == SEG_LDT || seg == SEG_TR;
    return s->selector <= 0xffff && !(s->attributes & ~ATTRIBUTES) && (wide ? x86_canonical(s->base) : s->base <= UINT32_MAX);
}

const char *hvm_bad_register(struct cpu *scratch, const struct x86_state *s)
{
    struct x86_state again;
    for (size_t i = 0; i < sizeof register_limits / sizeof *register_limits; i++)
        if (limit_value(s, &register_limits[i]) > register_limits[i].max)
            return register_limits[i].name;
    for (size_t i = 0; i < sizeof register_addresses / sizeof *register_addresses; i++) {
        uint64_t address;
        memcpy(&address, (const char *)s + register_addresses[i].offset, sizeof address);
        if (!x86_canonical(address))
            return register_addresses[i].name;
    }
    for (int i = 0; i < SEG_COUNT; i++)
        if (!segment_ok((enum x86_segment)i, &s->segments[i]))
            return "a segment";
    for (int i = 0; i < (int)sizeof s->x87; i++)
        if (i % X87_STRIDE >= X87_BYTES && s->x87[i] != 0)
            return "x87";
    if (!(s->rflags & 2) || s->pending_exception != -1)
        return "rflags";
    if (!hvm_mode_ok(s->cr0, s->cr4, s->efer))
        return "its mode";
    cpu_set_state(scratch, s);
    cpu_get_state(scratch, &again);
    return memcmp(s, &again, sizeof again) != 0 ? "a register that follows from others" : NULL;
}

/* ---- a vcpu ---- */

#define LIMIT_VCPU(field, most) LIMIT(struct hvm_vcpu, field, most)
static const struct limit vcpu_limits[] = {
    LIMIT_VCPU(lapic.tpr, 0xff), LIMIT_VCPU(lapic.svr, 0x3ff), LIMIT_VCPU(lapic.esr, 0xff), LIMIT_VCPU(lapic.esr_pending, 0xff),
    LIMIT_VCPU(lapic.icr_low, 0xccfff), LIMIT_VCPU(lapic.timer_divide, 0xb), LIMIT_VCPU(lapic.timer_deadline, FAR_FUTURE),
    LIMIT_VCPU(lapic.pad, 0), LIMIT_VCPU(io.answered, IO_QUEUE), LIMIT_VCPU(io.met, IO_QUEUE),
    LIMIT_VCPU(io.at, FAR_FUTURE), LIMIT_VCPU(upcall_vector, 0xff), LIMIT_VCPU(waits_for_sipi, 1), LIMIT_VCPU(nmi_pending, 1),
    LIMIT_VCPU(pad, 0),
};

bool validate_hvm_vcpu(struct validation *c, struct vcpu *v)
{
    const struct hvm_vcpu *h = hvm_vcpu_of(c->hv, v);
    return validate_within(c, h, vcpu_limits, COUNT(vcpu_limits), "vcpu slot", v->slot) &&
           ((lapic_ok(&h->lapic) && h->io.met <= h->io.answered) ||
            validate_fail(c, "vcpu slot %u: its local APIC, or accesses under way", v->slot));
}

/* ---- a domain ---- */

/* What a PVH domain cannot change. `made`: zeroed. */
static bool without_devices(struct hvm_domain *made, const struct hvm_domain *h)
{
    for (int i = 0; i < 2; i++)
        pic_reset(&made->pic[i], i);
    ioapic_reset(&made->ioapic);
    made->a20 = 1;
    made->p2m = h->p2m;
    made->forced_emulation = h->forced_emulation;
    memcpy(made->params, h->params, sizeof made->params);
    return memcmp(made, h, sizeof *made) == 0 && h->forced_emulation <= 1;
}

/* ---- a PC ---- */

#define LIMIT_PC(field, most) LIMIT(struct hvm_domain, field, most)
static const struct limit pc_limits[] = {
    LIMIT_PC(has_pic, 1), LIMIT_PC(has_ioapic, 1), LIMIT_PC(a20, 1), LIMIT_PC(callback_line, 1),
    LIMIT_PC(forced_emulation, 1), LIMIT_PC(pad, 0),
    LIMIT_PC(callback_lines, (UINT64_C(1) << IOAPIC_PINS) - 1), LIMIT_PC(device_lines, (UINT64_C(1) << IOAPIC_PINS) - 1),
    LIMIT_PC(video_frames, P2M_FRAMES), LIMIT_PC(video_gfn, P2M_FRAMES), LIMIT_PC(ioapic.select, 0xff),
    LIMIT_PC(ioapic.lines, (UINT64_C(1) << IOAPIC_PINS) - 1), LIMIT_PC(pic[0].slave, 0), LIMIT_PC(pic[1].slave, 1),
    LIMIT_PC(held.until_ns, FAR_FUTURE), LIMIT_PC(held.value, UINT32_MAX), LIMIT_PC(held.port, UINT16_MAX), LIMIT_PC(held.size, 4),
    LIMIT_PC(pic[0].priority, 7), LIMIT_PC(pic[1].priority, 7), LIMIT_PC(pic[0].init, 4), LIMIT_PC(pic[1].init, 4),
};

static bool data_ports_ok(const struct hvm_domain *h)
{
    for (int i = 0; i < HVM_DATA_PORTS; i++) {
        const struct hvm_data_port *p = &h->data_port[i];
        if (p->port > UINT16_MAX || p->length > IO_BLOCK_BYTES || p->at > p->length || p->writing > 1)
            return false;
    }
    return true;
}

/* A frame that a device writes to: one that the guest cannot give back. */
static bool kept_frame(const struct hv *hv, const struct domain *d, uint64_t frame)
{
    return validate_plain_frame(hv, d, frame) && (hv->pages[frame].ref_info & PGC_XEN_HEAP);
}

/* Frames that devices name: those under the ROMs, and video memory. */
static bool device_frames_ok(const struct hv *hv, const struct domain *d, const struct hvm_domain *h)
{
    for (size_t i = 0; i < COUNT(h->shadow_frame); i++)
        if (!kept_frame(hv, d, h->shadow_frame[i]))
            return false;
    for (uint64_t i = 0; i < h->video_frames; i++)
        if (!kept_frame(hv, d, h->video_frame + i))
            return false;
    return h->video_gfn + h->video_frames <= P2M_FRAMES;
}

static bool devices_ok(struct validation *c, const struct domain *d, const struct hvm_domain *h)
{
    return validate_within(c, h, pc_limits, COUNT(pc_limits), "the PC of domain", d->domid) &&
           ((h->has_pic && h->has_ioapic && data_ports_ok(h) && device_frames_ok(c->hv, d, h)) ||
            validate_fail(c, "domain %u: what its PC's devices use", d->domid));
}

static bool plain_processor_ok(struct validation *c, const struct domain *d, const struct hvm_domain *h)
{
    struct hvm_domain *made = calloc(1, sizeof *made);
    bool plain = made && without_devices(made, h);
    free(made);
    return plain || validate_fail(c, "domain %u: a PVH domain has no such devices", d->domid);
}

bool validate_hvm_domain(struct validation *c, const struct domain *d)
{
    const struct hvm_domain *h = hvm_of(c->hv, d);
    return d->type == DOMAIN_HVM ? devices_ok(c, d, h) : plain_processor_ok(c, d, h);
}
