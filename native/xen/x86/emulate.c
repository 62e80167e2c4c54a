/* emulate.c - privileged instructions that Xen executes for a PV kernel, and which it refuses.
 *
 * The guest kernel runs at CPL 3, so each of them arrives as #GP(0). Allowed are: mov cr, clts, mov dr, rdmsr, wrmsr,
 * rdtsc, rdtscp, wbinvd, xsetbv; cli, sti, in, out, ins, outs by I/O privilege. Everything else (hlt, invlpg, invd, lmsw, swapgs,
 * sysret, rdpmc, lgdt ...) is the guest's own mistake and its #GP is delivered.
 * Facts: validate() and priv_op_ops in xen/arch/x86/pv/emul-priv-op.c of Xen 4.17.
 */
#include "emulate.h"

uint64_t pv_fixup_cr4(uint64_t cr4)
{
    /* FSGSBASE and OSXSAVE are not in the CPUID policy (hv_cpuid.c): the guest cannot choose them. */
    return (cr4 & (CR4_TSD | CR4_DE)) | CR4_PV_VISIBLE;
}

void pv_set_guest_cr4(struct hv *hv, struct vcpu *v, uint64_t cr4)
{
    v->ctrlreg[4] = pv_fixup_cr4(cr4);
    cpu_set_cr(hv_cpu_of(hv, v), 4, v->ctrlreg[4]);
}

bool pv_iopl_ok(struct hv *hv, const struct vcpu *v)
{
    bool architectural = hv_domain(hv, v)->vm_assist & 1u << VMASST_TYPE_architectural_iopl;
    unsigned cpl = !v->kernel_mode ? 3 : architectural ? 0 : 1;
    return cpl <= v->iopl;
}

/* ---- control registers ---- */

static enum emul_result mov_from_cr(struct emulation *e)
{
    const struct insn_operand *to = &e->insn->operands[0];
    switch (e->insn->operands[1].reg) {
    case 0:
        insn_write(e->cpu, to, CR0_PV | (e->v->ctrlreg[0] & CR0_TS));
        return EMUL_DONE;
    case 2:
    case 4:
        insn_write(e->cpu, to, e->v->ctrlreg[e->insn->operands[1].reg]);
        return EMUL_DONE;
    case 3:
        insn_write(e->cpu, to, e->v->cr3_kernel);
        return EMUL_DONE;
    default:
        return EMUL_REFUSED;
    }
}

static enum emul_result mov_to_cr(struct emulation *e)
{
    uint64_t value = insn_read(e->cpu, &e->insn->operands[1]);
    struct vcpu_info *info = pv_info(e->hv, e->v);
    switch (e->insn->operands[0].reg) {
    case 0:
        if ((value ^ CR0_PV) & ~CR0_TS)
            return EMUL_REFUSED;
        pv_set_ts(e->hv, e->v, value & CR0_TS);
        return EMUL_DONE;
    case 2:
        e->v->ctrlreg[2] = value;
        if (info) {
            pv_info_dirty(e->hv, e->v);
            info->arch.cr2 = value;
        }
        return EMUL_DONE;
    case 3:
        return hv_set_base_pointer(e->hv, e->v, value >> ENGINE_PAGE_SHIFT, false) ? EMUL_REFUSED : EMUL_DONE;
    case 4:
        pv_set_guest_cr4(e->hv, e->v, value);
        return EMUL_DONE;
    default:
        return EMUL_REFUSED;
    }
}

static enum emul_result clts(struct emulation *e)
{
    pv_set_ts(e->hv, e->v, false);
    return EMUL_DONE;
}

static enum emul_result mov_from_dr(struct emulation *e)
{
    uint64_t value;
    if (!pv_get_debugreg(e->v, e->insn->operands[1].reg, &value))
        return EMUL_REFUSED;
    insn_write(e->cpu, &e->insn->operands[0], value);
    return EMUL_DONE;
}

static enum emul_result mov_to_dr(struct emulation *e)
{
    uint64_t value = insn_read(e->cpu, &e->insn->operands[1]);
    return pv_set_debugreg(e->hv, e->v, e->insn->operands[0].reg, value) ? EMUL_REFUSED : EMUL_DONE;
}

/* ---- the rest ---- */

/* rdtsc and rdtscp come here when CR4.TSD is set: the kernel may read the counter all the same. */
static enum emul_result rdtsc(struct emulation *e)
{
    uint64_t now = hv_now(e->hv);
    e->g->rax = (uint32_t)now;
    e->g->rdx = now >> 32;
    return EMUL_DONE;
}

/* A domain without devices has nothing to flush: Xen ignores it. */
static enum emul_result wbinvd(struct emulation *e)
{
    (void)e;
    return EMUL_DONE;
}

/* CR4.OSXSAVE cannot be set: there is no such instruction. */
static enum emul_result xsetbv(struct emulation *e) { return emul_fault(e, VECTOR_UD, 0, 0); }

/* cli and sti do nothing but not fault: evtchn_upcall_mask is the interrupt flag of a PV guest, and popf could not be
 * made to follow. */
static enum emul_result cli_sti(struct emulation *e) { return pv_iopl_ok(e->hv, e->v) ? EMUL_DONE : EMUL_REFUSED; }

static const struct { emul_fn *run; bool kernel_only; } TABLE[INSN_COUNT] = {
    [INSN_MOV_FROM_CR] = {mov_from_cr, true}, [INSN_MOV_TO_CR] = {mov_to_cr, true}, [INSN_CLTS] = {clts, true},
    [INSN_MOV_FROM_DR] = {mov_from_dr, true}, [INSN_MOV_TO_DR] = {mov_to_dr, true},
    [INSN_RDMSR] = {emul_rdmsr, true}, [INSN_WRMSR] = {emul_wrmsr, true},
    [INSN_RDTSC] = {rdtsc, true}, [INSN_WBINVD] = {wbinvd, true}, [INSN_XSETBV] = {xsetbv, true},
    [INSN_CLI] = {cli_sti, false}, [INSN_STI] = {cli_sti, false},
    [INSN_IN] = {emul_in, false}, [INSN_OUT] = {emul_out, false}, [INSN_INS] = {emul_ins, false},
    [INSN_OUTS] = {emul_outs, false},
};

/* Deliver the fault of an emulated instruction. */
static bool deliver(struct emulation *e)
{
    return pv_inject_trap(e->hv, e->v, &e->fault) && pv_resume(e->hv, e->v);
}

static bool finish(struct emulation *e)
{
    if (!e->breakpoints || cpu_rflags(e->cpu) & RFLAGS_TF) {
        e->v->debugreg[6] |= e->breakpoints;
        return insn_done(e->hv, e->v, e->insn);
    }
    e->v->debugreg[6] |= DR6_DEFAULT | e->breakpoints;
    e->g->rip += e->insn->length;
    cpu_retire(e->cpu);
    return pv_inject(e->hv, e->v, VECTOR_DB, 0);
}

bool pv_emulate(struct hv *hv, struct vcpu *v, bool *handled)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct emulation e = {.hv = hv, .v = v, .cpu = cpu, .g = cpu_gprs(cpu)};
    switch (insn_fetch(hv, v, &e.insn)) {
    case INSN_UNKNOWN:
        return false;
    case INSN_UNREADABLE:
        return true;
    case INSN_FOUND:
        break;
    }
    if (!TABLE[e.insn->op].run || (TABLE[e.insn->op].kernel_only && !v->kernel_mode))
        return true;
    enum emul_result result = TABLE[e.insn->op].run(&e);
    *handled = result != EMUL_REFUSED;
    switch (result) {
    case EMUL_DONE:
        return finish(&e);
    case EMUL_FAULT:
        return deliver(&e);
    case EMUL_AGAIN:
        cpu_retire(cpu);
        return pv_resume(hv, v);
    case EMUL_REFUSED:
        break;
    }
    return true;
}
