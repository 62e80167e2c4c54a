/* bounce.c - frames on the guest kernel's stack, and the ways in and out of the guest kernel.
 *
 * A 64-bit PV guest never sees an IDT. Each exception, event and user-mode system call becomes a frame that Xen builds,
 * lowest address first:
 *     rcx, r11, [ds, es, fs, gs (failsafe)], [error code], rip, cs | saved_upcall_mask << 32, rflags, rsp, ss
 * on the stack that stack_switch named when the guest was in user mode, on the current one (aligned down to 16) when it
 * was in its kernel. Both modes run at CPL 3; a frame from kernel mode shows cs with RPL 0 to tell them apart.
 * rflags.IF shows the inverse of evtchn_upcall_mask, and IOPL the virtual one if the guest asked for it.
 * Facts: xen/arch/x86/x86_64/entry.S (create_bounce_frame, switch_to_kernel, restore_all_guest) of Xen 4.17.
 *
 * A frame that cannot be built crashes the domain: there is no double fault for PV guests.
 */
#include "pv.h"
#include "../../abi/sched.h"

/* What SYSRET loads into rflags: all but RF and VM. */
#define SYSRET_RFLAGS 0x3c7fd7ull

void pv_set_upcall_mask(struct hv *hv, struct vcpu *v, uint8_t mask)
{
    struct vcpu_info *info = pv_info(hv, v);
    if (info && info->evtchn_upcall_mask != mask) {
        pv_info_dirty(hv, v);
        info->evtchn_upcall_mask = mask;
    }
}

void pv_toggle_mode(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    if (v->kernel_mode) {
        v->gs_base_kernel = cpu_segment_base(cpu, SEG_GS);
        cpu_set_segment_base(cpu, SEG_GS, v->gs_base_user);
    } else {
        v->gs_base_user = cpu_segment_base(cpu, SEG_GS);
        cpu_set_segment_base(cpu, SEG_GS, v->gs_base_kernel);
    }
    v->kernel_mode = !v->kernel_mode;
    mm_load_cr3(hv, v);
    /* One table for both: loading CR3 forgets nothing, but user mode must not see what the kernel's M2P left behind. */
    if (v->cr3_user == v->cr3_kernel && hv_domain(hv, v)->vm_assist >> VMASST_TYPE_m2p_strict & 1)
        hv->tlb_stale = true;
}

/* Make CS and SS the flat ones of 64-bit code, which is where every way into a guest kernel leads. */
static void load_flat(struct cpu *cpu, uint32_t cs)
{
    struct x86_segment_state segment;
    if (seg_selector(cpu, SEG_SS) != FLAT_KERNEL_SS) {
        seg_flat(FLAT_KERNEL_SS, &segment);
        cpu_set_segment(cpu, SEG_SS, &segment);
    }
    if (seg_selector(cpu, SEG_CS) != cs) {
        seg_flat(cs, &segment);
        cpu_set_segment(cpu, SEG_CS, &segment);
    }
}

void pv_sysret(struct cpu *cpu, struct x86_gprs *g)
{
    g->rcx = g->rip;
    g->r11 = cpu_rflags(cpu);
    load_flat(cpu, seg_selector(cpu, SEG_CS) == FLAT_USER_CS32 ? FLAT_USER_CS32 : FLAT_KERNEL_CS);
}

/* May a frame begin below `sp`? Xen lets a stack pass that begins just above its hole: the frame's stores then fault. */
static bool stack_ok(uint64_t sp) { return sp < HYPERVISOR_VIRT_START || sp >= HYPERVISOR_VIRT_END + 12 * 8; }

bool pv_bounce(struct hv *hv, struct vcpu *v, uint64_t address, uint32_t flags, uint32_t error)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *g = cpu_gprs(cpu);
    bool from_kernel = v->kernel_mode;
    uint64_t cs = seg_selector(cpu, SEG_CS), rflags = cpu_rflags(cpu);
    if (from_kernel)
        cs &= ~3ull;
    else
        pv_toggle_mode(hv, v);
    uint64_t sp = (from_kernel ? g->rsp : v->kernel_sp) & ~15ull;
    if (!stack_ok(sp))
        return hv_crash(hv, v, "the stack for a trap frame lies in the hypervisor's address range");

    uint64_t frame[13];
    unsigned n = 0;
    uint8_t mask = pv_upcall_masked(hv, v);
    frame[n++] = g->rcx;
    frame[n++] = g->r11;
    if (flags & FRAME_SEGMENTS) {
        frame[n++] = seg_selector(cpu, SEG_DS);
        frame[n++] = seg_selector(cpu, SEG_ES);
        frame[n++] = seg_selector(cpu, SEG_FS);
        frame[n++] = seg_selector(cpu, SEG_GS);
    }
    if (flags & FRAME_ERROR)
        frame[n++] = error;
    uint64_t shown = rflags & ~(RFLAGS_IF | RFLAGS_IOPL);
    if (!mask)
        shown |= RFLAGS_IF;
    if (hv_domain(hv, v)->vm_assist & 1u << VMASST_TYPE_architectural_iopl)
        shown |= (uint64_t)v->iopl << 12;
    frame[n++] = g->rip;
    frame[n++] = cs | (uint64_t)mask << 32;
    frame[n++] = shown;
    frame[n++] = g->rsp;
    frame[n++] = seg_selector(cpu, SEG_SS);
    sp -= n * sizeof frame[0];
    if (hv_copy_to_guest(hv, v, sp, frame, n * sizeof frame[0]))
        return hv_crash(hv, v, "the stack for a trap frame is not writable");
    if (address == 0)
        return hv_crash(hv, v, "a trap for which the guest has registered no handler");
    if (flags & FRAME_MASK_EVENTS)
        pv_set_upcall_mask(hv, v, 1);

    cpu_set_rflags(cpu, (rflags & ~(RFLAGS_AC | RFLAGS_VM | RFLAGS_RF | RFLAGS_NT | RFLAGS_TF)) | RFLAGS_IF);
    g->rsp = sp;
    g->rip = address;
    load_flat(cpu, FLAT_KERNEL_CS);
    pv_sysret(cpu, g);
    return true;
}

static bool bounce_trap(struct hv *hv, struct vcpu *v, uint32_t vector, uint32_t flags, uint32_t error)
{
    const struct hv_trap *t = &v->traps[vector];
    if (t->flags & 4)
        flags |= FRAME_MASK_EVENTS;
    return pv_bounce(hv, v, t->address, flags, error);
}

bool pv_inject_page_fault(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t error)
{
    struct vcpu_info *info = pv_info(hv, v);
    v->ctrlreg[2] = va;
    if (info) {
        pv_info_dirty(hv, v);
        info->arch.cr2 = va;
    }
    error = v->kernel_mode ? error & ~(uint32_t)PF_USER : error | PF_USER;
    return bounce_trap(hv, v, VECTOR_PF, FRAME_ERROR, error);
}

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
static bool has_error(uint32_t vector)
{
    return vector < 32 && (1u << VECTOR_DF | 1u << VECTOR_TS | 1u << VECTOR_NP | 1u << VECTOR_SS | 1u << VECTOR_GP |
                           1u << VECTOR_PF | 1u << VECTOR_AC) >> vector & 1;
}

bool pv_inject_trap(struct hv *hv, struct vcpu *v, const struct trap *trap)
{
    if (trap->vector == VECTOR_PF && !(trap->flags & TRAP_SOFTWARE))
        return pv_inject_page_fault(hv, v, trap->address, trap->error);
    bool error = has_error(trap->vector) && !(trap->flags & TRAP_SOFTWARE);
    return bounce_trap(hv, v, trap->vector & 0xff, error ? FRAME_ERROR : 0, error ? trap->error : 0);
}

bool pv_inject(struct hv *hv, struct vcpu *v, uint32_t vector, uint32_t error)
{
    const struct trap trap = {.vector = vector, .error = error};
    return pv_inject_trap(hv, v, &trap) && pv_resume(hv, v);
}

bool pv_failsafe(struct hv *hv, struct vcpu *v)
{
    const struct hv_callback *cb = &v->callbacks[CB_FAILSAFE];
    return pv_bounce(hv, v, cb->address, FRAME_SEGMENTS | (cb->mask_events ? FRAME_MASK_EVENTS : 0), 0);
}

bool pv_deliver_events(struct hv *hv, struct vcpu *v)
{
    bool built = false;
    if (v->nmi_pending && !v->nmi_masked) {
        v->nmi_pending = 0;
        if (v->traps[VECTOR_NMI].address) {
            v->nmi_masked = 1;
            hv->trap_counts[v->domain_slot][VECTOR_NMI]++;
            hv_log_trap(hv, v, TRAP_LOG_NMI, VECTOR_NMI);
            if (!bounce_trap(hv, v, VECTOR_NMI, 0, 0))
                return false;
            built = true;
        }
    }
    const struct vcpu_info *info = pv_info(hv, v);
    if (info && info->evtchn_upcall_pending && !info->evtchn_upcall_mask) {
        hv_trace_delivery(hv, v, hv_log_trap(hv, v, TRAP_LOG_EVENT, 0));
        built |= pv_bounce(hv, v, v->callbacks[CB_EVENT].address, FRAME_MASK_EVENTS, 0);
    }
    return built;
}

bool pv_resume(struct hv *hv, struct vcpu *v)
{
    pv_deliver_events(hv, v);
    return pv_go_on(hv, v);
}

bool pv_go_on(struct hv *hv, struct vcpu *v)
{
    if (hv->tlb_stale) {
        hv->tlb_stale = false;
        hv->code_page.host = NULL;
        machine_tlb_stale(hv->m);
    }
    return !hv_domain(hv, v)->shut_down;
}
