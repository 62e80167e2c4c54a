/* vcpu_context.c - the first context of a 64-bit PV vcpu (VCPUOP_initialise), as arch_set_info_guest() of Xen 4.17.
 *
 * Everything that the guest wrote is checked before anything is changed, but for the three that take references (GDT
 * frames and the two page tables); those are taken in turn, and what was taken is let go when a later one is refused.
 * A refusal is the number of its rule, with the facts in `facts`; the caller makes the errno of it.
 */
#include <stddef.h>
#include "pv.h"

enum { LDT_MAX_ENTRIES = 8192, RPL = 3 };
/* FXSAVE image: offsets (AMD64 APM volume 2, 11.4.4). */
enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_FOP = 6, FX_FIP = 8, FX_FDP = 16, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160 };
#define MXCSR_DEFINED 0xffffu
#define CANONICAL(field) offsetof(struct vcpu_guest_context, field)

static const size_t canonical_fields[] = {
    CANONICAL(user_regs.rip), CANONICAL(user_regs.rsp), CANONICAL(kernel_sp), CANONICAL(fs_base),
    CANONICAL(gs_base_kernel), CANONICAL(gs_base_user), CANONICAL(event_callback_eip),
    CANONICAL(failsafe_callback_eip), CANONICAL(syscall_callback_eip),
};

static uint32_t refuse(uint64_t facts[4], enum rule rule, uint64_t f0, uint64_t f1)
{
    facts[0] = f0;
    facts[1] = f1;
    return rule;
}

/* Xen lifts every selector that a guest kernel uses to its own privilege, which is 3. */
static uint16_t guest_selector(uint64_t selector) { return (uint16_t)(selector | RPL); }

static uint32_t check(const struct vcpu_guest_context *c, uint64_t facts[4])
{
    for (size_t i = 0; i < sizeof(canonical_fields) / sizeof(canonical_fields[0]); i++) {
        uint64_t address;

        memcpy(&address, (const uint8_t *)c + canonical_fields[i], sizeof(address));
        if (!x86_canonical(address))
            return refuse(facts, RULE_vcpu_context_address, address, 0);
    }
    for (int i = 0; i < 256; i++)
        if (!x86_canonical(c->trap_ctxt[i].address))
            return refuse(facts, RULE_vcpu_context_address, c->trap_ctxt[i].address, 0);
    if (!x86_canonical(c->ldt_base) || !pv_guest_address(c->ldt_base) || c->ldt_base % ENGINE_PAGE_SIZE != 0
        || c->ldt_ents > LDT_MAX_ENTRIES)
        return refuse(facts, RULE_vcpu_context_ldt, c->ldt_base, c->ldt_ents);
    if (!(c->flags & VGCF_in_kernel) && c->ctrlreg[1] == 0)
        return refuse(facts, RULE_vcpu_context_user_table, c->flags, 0);
    return 0;
}

/* Page tables, GDT and LDT frames; the vcpu keeps its shared areas. */
static void drop_tables(struct hv *hv, struct vcpu *v)
{
    uint64_t info = v->info_pa, control = v->fifo_control_frame;

    v->info_pa = v->fifo_control_frame = 0;
    mm_vcpu_destroy(hv, v);
    v->info_pa = info;
    v->fifo_control_frame = control;
}

static uint32_t take_tables(struct hv *hv, struct vcpu *v, const struct vcpu_guest_context *c, uint64_t facts[4])
{
    uint64_t frames[HV_GDT_PAGES];
    uint32_t rule = 0;

    memcpy(frames, c->gdt_frames, sizeof(frames));
    if (c->gdt_ents > UINT32_MAX || hv_set_gdt(hv, v, frames, (uint32_t)c->gdt_ents) != 0)
        return refuse(facts, RULE_vcpu_context_gdt, c->gdt_ents, 0);
    if (hv_set_base_pointer(hv, v, c->ctrlreg[3] >> ENGINE_PAGE_SHIFT, false) != 0)
        rule = refuse(facts, RULE_vcpu_context_table, c->ctrlreg[3], 0);
    else if (c->ctrlreg[1] != 0 && hv_set_base_pointer(hv, v, c->ctrlreg[1] >> ENGINE_PAGE_SHIFT, true) != 0)
        rule = refuse(facts, RULE_vcpu_context_table, c->ctrlreg[1], 0);
    if (rule != 0)
        drop_tables(hv, v);
    return rule;
}

static void set_callback(struct hv_callback *callback, uint64_t address, bool mask_events)
{
    callback->address = address;
    callback->cs = FLAT_KERNEL_CS;
    callback->mask_events = mask_events;
    callback->registered = address != 0;
}

/* What the hypervisor keeps of the context. */
static void set_vcpu(struct vcpu *v, const struct vcpu_guest_context *c)
{
    for (int i = 0; i < 256; i++) {
        const struct trap_info *from = &c->trap_ctxt[i];

        v->traps[i].address = from->address;
        v->traps[i].cs = from->address != 0 || from->cs != 0 ? guest_selector(from->cs) : 0;
        v->traps[i].flags = from->flags;
        v->traps[i].vector = (uint8_t)i;
    }
    set_callback(&v->callbacks[CB_EVENT], c->event_callback_eip, true);
    set_callback(&v->callbacks[CB_FAILSAFE], c->failsafe_callback_eip, (c->flags & VGCF_failsafe_disables_events) != 0);
    set_callback(&v->callbacks[CB_SYSCALL], c->syscall_callback_eip, (c->flags & VGCF_syscall_disables_events) != 0);
    v->kernel_ss = guest_selector(c->kernel_ss);
    v->kernel_sp = c->kernel_sp;
    v->ldt_base = c->ldt_base;
    v->ldt_entries = (uint32_t)c->ldt_ents;
    v->fs_base = c->fs_base;
    v->gs_base_kernel = c->gs_base_kernel;
    v->gs_base_user = c->gs_base_user;
    v->kernel_mode = (c->flags & VGCF_in_kernel) != 0;
    v->iopl = (uint8_t)((c->user_regs.rflags & RFLAGS_IOPL) >> 12);
    v->fpu_taskswitch = (c->ctrlreg[0] & CR0_TS) != 0;
    v->ctrlreg[4] = pv_fixup_cr4(c->ctrlreg[4]);
}

/* Load the selectors; only those of code and stack must be good: bad data segments become null, as after a bad
 * load that the failsafe handler puts right. */
static uint32_t set_segments(struct hv *hv, struct vcpu *v, const struct cpu_user_regs *u, struct x86_state *s,
                             uint64_t facts[4])
{
    const uint16_t data[] = { [SEG_ES] = u->es, [SEG_DS] = u->ds, [SEG_FS] = u->fs, [SEG_GS] = u->gs };
    static const enum x86_segment order[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    if (!seg_load(hv, v, SEG_CS, guest_selector(u->cs), &s->segments[SEG_CS]))
        return refuse(facts, RULE_vcpu_context_selector, u->cs, 0);
    if (!seg_load(hv, v, SEG_SS, guest_selector(u->ss), &s->segments[SEG_SS]))
        return refuse(facts, RULE_vcpu_context_selector, u->ss, 0);
    for (int i = 0; i < 4; i++)
        if (!seg_load(hv, v, order[i], data[order[i]], &s->segments[order[i]]))
            memset(&s->segments[order[i]], 0, sizeof(s->segments[0]));
    if (u->fs < 4)               /* a selector takes precedence over a base */
        s->segments[SEG_FS].base = v->fs_base;
    if (u->gs < 4)
        s->segments[SEG_GS].base = v->kernel_mode ? v->gs_base_kernel : v->gs_base_user;
    return 0;
}

static void set_fpu(struct x86_state *s, const uint8_t image[512], bool valid)
{
    memset(s->x87, 0, sizeof(s->x87));
    memset(s->xmm, 0, sizeof(s->xmm));
    s->fcw = 0x37f;
    s->fsw = s->fop = 0;
    s->ftw = 0;
    s->mxcsr = 0x1f80;
    s->fip = s->fdp = 0;
    if (!valid)
        return;
    memcpy(&s->fcw, image + FX_FCW, 2);
    memcpy(&s->fsw, image + FX_FSW, 2);
    s->ftw = image[FX_FTW];
    memcpy(&s->fop, image + FX_FOP, 2);
    memcpy(&s->fip, image + FX_FIP, 8);
    memcpy(&s->fdp, image + FX_FDP, 8);
    memcpy(&s->mxcsr, image + FX_MXCSR, 4);
    s->mxcsr &= MXCSR_DEFINED;
    memcpy(s->x87, image + FX_ST, sizeof(s->x87));
    memcpy(s->xmm, image + FX_XMM, sizeof(s->xmm));
}

static void set_general(struct x86_state *s, const struct cpu_user_regs *u)
{
    s->gprs = (struct x86_gprs){
        .rax = u->rax, .rcx = u->rcx, .rdx = u->rdx, .rbx = u->rbx, .rsp = u->rsp, .rbp = u->rbp, .rsi = u->rsi,
        .rdi = u->rdi, .r8 = u->r8, .r9 = u->r9, .r10 = u->r10, .r11 = u->r11, .r12 = u->r12, .r13 = u->r13,
        .r14 = u->r14, .r15 = u->r15, .rip = u->rip,
    };
    s->rflags = (u->rflags & (RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID))
        | RFLAGS_IF | 2;
}

uint32_t hv_set_vcpu_context(struct hv *hv, struct vcpu *v, const void *context, uint64_t facts[4])
{
    struct vcpu_guest_context c;
    struct x86_state s;
    uint32_t rule;

    memcpy(&c, context, sizeof(c));
    rule = check(&c, facts);
    if (rule == 0)
        rule = take_tables(hv, v, &c, facts);
    if (rule != 0)
        return rule;
    cpu_get_state(hv_cpu_of(hv, v), &s);
    set_general(&s, &c.user_regs);
    set_fpu(&s, (const uint8_t *)&c.fpu_ctxt, (c.flags & VGCF_i387_valid) != 0);
    set_vcpu(v, &c);
    rule = set_segments(hv, v, &c.user_regs, &s, facts);
    if (rule != 0) {
        drop_tables(hv, v);
        return rule;
    }
    cpu_set_state(hv_cpu_of(hv, v), &s);
    for (uint64_t i = 0; i < 8; i++)
        if (i < 4 || i > 5)      /* a value that may not be is left out, as Xen does */
            (void)pv_set_debugreg(hv, v, i, c.debugreg[i]);
    hv_vcpu_load(hv, v);
    v->initialised = 1;
    if (c.flags & VGCF_online) {
        v->online = 1;
        hv_runstate_set(hv, v, RS_RUNNABLE);
    }
    return 0;
}
