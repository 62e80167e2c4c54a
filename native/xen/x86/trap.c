/* trap.c - what becomes of an exception of a PV guest: emulated, or bounced to the guest kernel.
 *
 * The order of answers is Xen's. #GP(0): a privileged instruction that Xen executes for the guest, else bounced. `int n`:
 * all gates but 3, 4 and 0x80 have DPL 0 in Xen's IDT, so that int n is a #GP whose error code names the gate; it is
 * forwarded when the guest's own table lets the caller through. #UD: the forced emulation prefix. #NM: lazy FPU. #PF: a
 * store to one of the guest's own read-only page tables, else bounced with cr2 in vcpu_info.
 * Facts: xen/arch/x86/traps.c and xen/arch/x86/pv/{traps,emul-inv-op}.c of Xen 4.17.
 */
#include "machine.h"
#include "pv.h"
#include "decode.h"

/* `*emulated`: dealt with here, the guest kernel never sees it. */
typedef bool trap_fn(struct hv *hv, struct vcpu *v, const struct trap *trap, bool *emulated);

static bool bounce(struct hv *hv, struct vcpu *v, const struct trap *trap)
{
    return pv_inject_trap(hv, v, trap) && pv_resume(hv, v);
}

/* ---- int n ---- */

enum { INT_BYTES = 2, INT80 = 0x80 };

/* permit_softint(): the ring of a guest kernel counts as 1. */
static bool gate_open(const struct vcpu *v, const struct hv_trap *gate)
{
    return (gate->flags & 3) >= (v->kernel_mode ? 1 : 3);
}

static bool software_interrupt(struct hv *hv, struct vcpu *v, const struct trap *trap)
{
    uint32_t vector = trap->vector & 0xff;
    const struct hv_trap *gate = &v->traps[vector];
    bool open = vector == VECTOR_BP || vector == VECTOR_OF || (vector == INT80 ? gate->address != 0 : gate_open(v, gate));
    if (open)
        return bounce(hv, v, trap);
    cpu_gprs(hv_cpu_of(hv, v))->rip -= INT_BYTES;
    return pv_inject(hv, v, VECTOR_GP, vector << 3 | ERROR_IDT);
}

/* ---- faults with an answer of their own ---- */

/* DR6 keeps what earlier traps set; only the guest clears it. */
static bool debug_trap(struct hv *hv, struct vcpu *v, const struct trap *trap, bool *emulated)
{
    (void)emulated;
    struct cpu *cpu = hv_cpu_of(hv, v);
    v->debugreg[6] |= cpu_dr(cpu, 6) | DR6_DEFAULT;
    cpu_set_dr(cpu, 6, v->debugreg[6]);
    return bounce(hv, v, trap);
}

static bool no_device(struct hv *hv, struct vcpu *v, const struct trap *trap, bool *emulated)
{
    bool wanted = v->fpu_taskswitch;
    pv_set_ts(hv, v, false);
    *emulated = !wanted;
    return wanted ? bounce(hv, v, trap) : pv_resume(hv, v);
}

/* ud2; .ascii "xen"; cpuid: CPUID as the hypervisor shows it, though the processor may not fault on the plain one. */
static const uint8_t FORCED_CPUID[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
enum { FORCED_PREFIX_BYTES = 5, INT1 = 0xf1 };

/* INT1, which the engine does not know: a trap, so rip is behind it. */
static bool int1(struct hv *hv, struct vcpu *v)
{
    cpu_gprs(hv_cpu_of(hv, v))->rip += 1;
    cpu_retire(hv_cpu_of(hv, v));
    return pv_inject(hv, v, VECTOR_DB, 0);
}

static bool undefined(struct hv *hv, struct vcpu *v, const struct trap *trap, bool *emulated)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *g = cpu_gprs(cpu);
    uint8_t bytes[sizeof FORCED_CPUID];
    uint64_t va = g->rip + (insn_mode(cpu) == 64 ? 0 : cpu_segment_base(cpu, SEG_CS));
    if (hv_copy_from_guest(hv, v, bytes, va, 1) == 0 && bytes[0] == INT1)
        return int1(hv, v);
    if (hv_copy_from_guest(hv, v, bytes, va, FORCED_PREFIX_BYTES) || memcmp(bytes, FORCED_CPUID, FORCED_PREFIX_BYTES))
        return bounce(hv, v, trap);
    if (hv_copy_from_guest(hv, v, bytes, va, sizeof bytes))
        return pv_inject_page_fault(hv, v, va + FORCED_PREFIX_BYTES, 0) && pv_resume(hv, v);
    if (memcmp(bytes, FORCED_CPUID, sizeof bytes))
        return bounce(hv, v, trap);
    uint32_t out[4] = {0};
    op_cpuid(hv, cpu, (uint32_t)g->rax, (uint32_t)g->rcx, out);
    g->rax = out[0];
    g->rbx = out[1];
    g->rcx = out[2];
    g->rdx = out[3];
    const struct insn done = {.length = sizeof FORCED_CPUID};
    *emulated = true;
    return insn_done(hv, v, &done);
}

static bool general_protection(struct hv *hv, struct vcpu *v, const struct trap *trap, bool *emulated)
{
    bool go_on = trap->error == 0 ? pv_emulate(hv, v, emulated) : true;
    return *emulated || !go_on ? go_on : bounce(hv, v, trap);
}

/* The processor reads descriptors through Xen's windows; a missing page of the guest's LDT is the guest's page fault. */
static uint64_t fault_address(struct hv *hv, const struct vcpu *v, uint64_t va)
{
    uint64_t ldt = cpu_segment_base(hv_cpu_of(hv, v), SEG_LDT);
    return v->ldt_entries && va >= ldt && va - ldt < v->ldt_entries * 8ull ? v->ldt_base + (va - ldt) : va;
}

/* The engine translates a non-canonical address like any other and finds nothing: it is #GP, or #SS through SS. */
static bool non_canonical(struct hv *hv, struct vcpu *v)
{
    const struct insn *insn = NULL;
    enum insn_status status = insn_fetch(hv, v, &insn);
    if (status == INSN_UNKNOWN)
        return false;
    bool stack = status == INSN_FOUND && insn->flags & INSN_STACK;
    return pv_inject(hv, v, stack ? VECTOR_SS : VECTOR_GP, 0);
}

static bool page_fault(struct hv *hv, struct vcpu *v, const struct trap *trap, bool *emulated)
{
    uint64_t va = fault_address(hv, v, trap->address);
    if (!x86_canonical(va))
        return non_canonical(hv, v);
    bool go_on = mm_emulate_pt_write(hv, v, va, trap->error, emulated);
    if (*emulated || !go_on)
        return go_on;
    return pv_inject_page_fault(hv, v, va, trap->error) && pv_resume(hv, v);
}

static trap_fn *const HANDLERS[32] = {
    [VECTOR_DB] = debug_trap, [VECTOR_UD] = undefined, [VECTOR_NM] = no_device, [VECTOR_GP] = general_protection,
    [VECTOR_PF] = page_fault,
};

/* The instruction will be executed again once it is decoded: this time does not count. */
static void forget(struct hv *hv, const struct vcpu *v, uint32_t vector)
{
    hv->trap_counts[v->domain_slot][hv_trap_index(vector)]--;
    hv_unlog_trap(hv, v);
}

bool op_exception(void *ctx, struct cpu *cpu, const struct trap *trap)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    hv->began = hv_retired(hv) - (trap->flags & TRAP_SOFTWARE ? 1 : 0);       /* a software interrupt is counted already */
    if (hv_stops_on(hv, HV_STOP_TRAP) && stops_trap(hv, v, trap)) {
        cpu_leave_at_breakpoint(cpu);
        return false;
    }
    hv->trap_counts[v->domain_slot][x86_trap_counter(trap)]++;
    struct trap_record *record = hv_log_trap(hv, v, TRAP_LOG_EXCEPTION, trap->vector);
    record->error = trap->error;
    record->address = trap->vector == VECTOR_PF ? trap->address : 0;
    memset(hv->last.args, 0, sizeof hv->last.args);
    hv->last.hypercall = HV_NO_HYPERCALL;
    hv->last.args[0] = record->rip;
    if (trap->flags & TRAP_SOFTWARE)
        return software_interrupt(hv, v, trap);
    trap_fn *handler = trap->vector < 32 ? HANDLERS[trap->vector] : NULL;
    bool emulated = false;
    bool go_on = handler ? handler(hv, v, trap, &emulated) : bounce(hv, v, trap);
    record->emulated = emulated;
    if (!go_on && cpu_exit_record(cpu)->reason == EXIT_DECODE)
        forget(hv, v, trap->vector);
    return go_on;
}
