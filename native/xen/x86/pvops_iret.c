/* pvops_iret.c - the iret hypercall: back from a frame to whatever it says.
 *
 * The frame (struct iret_context) lies at the guest kernel's rsp. cs with RPL 3 means guest user mode: then the page
 * table and gs base of user mode are put in place. With VGCF_in_syscall the way out is SYSRET: flat selectors, rcx and
 * r11 clobbered, cs and ss of the frame ignored but for a 32-bit cs. Otherwise it is IRET: cs and ss are loaded with all of
 * the processor's checks, and what they refuse goes to the failsafe callback, with the frame of the new context.
 * Facts: xen/arch/x86/pv/iret.c and restore_all_guest in x86_64/entry.S of Xen 4.17.
 */
#include "pv.h"

/* What IRET loads into rflags, less IOPL and VM: arithmetic, TF, IF, DF, NT, RF, AC, ID. */
#define IRET_RFLAGS (RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

/* The selector of a segment register as the frame's, though it cannot be loaded: failsafe shows it to the guest. */
static void show_selector(struct cpu *cpu, enum x86_segment seg, uint32_t selector)
{
    struct x86_segment_state s;
    cpu_get_segment(cpu, seg, &s);
    s.selector = selector;
    cpu_set_segment(cpu, seg, &s);
}

/* Can rip be reached in this code segment? IRET checks it before anything is changed. */
static bool rip_ok(const struct x86_segment_state *cs, uint64_t rip)
{
    return cs->attributes & SEG_ATTR_L ? x86_canonical(rip) : rip <= cs->limit;
}

static bool load_code_and_stack(struct hv *hv, struct vcpu *v, const struct iret_context *f)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_segment_state cs, ss;
    uint32_t cs_selector = (f->cs & 0xffff) | 3, ss_selector = (f->ss & 0xffff) | 3;
    if (cs_selector == seg_selector(cpu, SEG_CS) && ss_selector == seg_selector(cpu, SEG_SS) &&
        cs_selector == FLAT_KERNEL_CS && ss_selector == FLAT_KERNEL_SS && x86_canonical(f->rip))
        return true;              /* the flat ones of Xen, which never change */
    if (!seg_load(hv, v, SEG_CS, cs_selector, &cs) || !rip_ok(&cs, f->rip) ||
        !seg_load(hv, v, SEG_SS, ss_selector, &ss)) {
        show_selector(cpu, SEG_CS, cs_selector);
        show_selector(cpu, SEG_SS, ss_selector);
        return false;
    }
    cpu_set_segment(cpu, SEG_SS, &ss);
    cpu_set_segment(cpu, SEG_CS, &cs);
    return true;
}

/* SYSRET: 32-bit code for the flat 32-bit selector, else 64-bit. A rip that it cannot take goes the way of IRET. */
static void load_for_sysret(struct cpu *cpu, const struct iret_context *f)
{
    uint32_t selector = ((f->cs & 0xffff) | 3) == FLAT_USER_CS32 ? FLAT_USER_CS32 : FLAT_USER_CS;
    struct x86_segment_state s;
    if (seg_selector(cpu, SEG_SS) != FLAT_USER_SS) {
        seg_flat(FLAT_USER_SS, &s);
        cpu_set_segment(cpu, SEG_SS, &s);
    }
    if (seg_selector(cpu, SEG_CS) != selector) {
        seg_flat(selector, &s);
        cpu_set_segment(cpu, SEG_CS, &s);
    }
}

int64_t do_iret(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *g = cpu_gprs(cpu);
    struct iret_context f;
    (void)args;
    if (hv_copy_from_guest(hv, v, &f, g->rsp, sizeof f)) {
        hv_crash(hv, v, "iret: the frame at rsp cannot be read");
        return HV_DONE;
    }
    if ((f.cs & 3) == 3) {
        if (v->cr3_user == 0) {
            hv_crash(hv, v, "iret: to user mode, and no user page table (MMUEXT_NEW_USER_BASEPTR)");
            return HV_DONE;
        }
        pv_toggle_mode(hv, v);
    }
    if (hv_domain(hv, v)->vm_assist & 1u << VMASST_TYPE_architectural_iopl)
        v->iopl = f.rflags >> 12 & 3;

    bool sysret = f.flags & VGCF_in_syscall && x86_canonical(f.rip);
    g->rax = f.rax;
    g->rip = f.rip;
    g->rsp = f.rsp;
    cpu_set_rflags(cpu, (f.rflags & (sysret ? IRET_RFLAGS & ~RFLAGS_RF : IRET_RFLAGS)) | RFLAGS_IF);
    pv_set_upcall_mask(hv, v, !(f.rflags & RFLAGS_IF));
    v->nmi_masked = 0;
    if (f.flags & VGCF_in_syscall) {
        g->rcx = f.rip;
        g->r11 = cpu_rflags(cpu);
    } else {
        g->rcx = f.rcx;
        g->r11 = f.r11;
    }
    if (sysret)
        load_for_sysret(cpu, &f);
    else if (!load_code_and_stack(hv, v, &f))
        pv_failsafe(hv, v);
    return HV_DONE;
}
