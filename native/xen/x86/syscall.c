/* syscall.c - the SYSCALL instruction: a hypercall from the guest kernel, a system call from guest user mode.
 *
 * The processor leaves rip in rcx and rflags in r11, and Xen returns by SYSRET, which wants them there: so both are
 * clobbered by every hypercall. A user-mode SYSCALL becomes a frame for the guest kernel's syscall callback.
 * Facts: xen/arch/x86/x86_64/entry.S (lstar_enter, switch_to_kernel), xen/arch/x86/pv/hypercall.c of Xen 4.17.
 */
#include "pv.h"

enum { SYSCALL_BYTES = 2 };

/* Hypercalls that PV guests have beside those of ../calls.c. */
hypercall_fn *const PV_CALLS[NR_HYPERCALLS] = {
    [__HYPERVISOR_set_trap_table] = do_set_trap_table,
    [__HYPERVISOR_mmu_update] = do_mmu_update,
    [__HYPERVISOR_set_gdt] = do_set_gdt,
    [__HYPERVISOR_stack_switch] = do_stack_switch,
    [__HYPERVISOR_set_callbacks] = do_set_callbacks,
    [__HYPERVISOR_fpu_taskswitch] = do_fpu_taskswitch,
    [__HYPERVISOR_set_debugreg] = do_set_debugreg,
    [__HYPERVISOR_get_debugreg] = do_get_debugreg,
    [__HYPERVISOR_update_descriptor] = do_update_descriptor,
    [__HYPERVISOR_update_va_mapping] = do_update_va_mapping,
    [__HYPERVISOR_update_va_mapping_otherdomain] = do_update_va_mapping_otherdomain,
    [__HYPERVISOR_iret] = do_iret,
    [__HYPERVISOR_set_segment_base] = do_set_segment_base,
    [__HYPERVISOR_mmuext_op] = do_mmuext_op,
    [__HYPERVISOR_nmi_op] = do_nmi_op,
    [__HYPERVISOR_callback_op] = do_callback_op,
};

/* The hypercall's arguments are rdi, rsi, rdx, r10, r8, r9. */
void pv_call_again(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count)
{
    struct x86_gprs *g = cpu_gprs(hv_cpu_of(hv, v));
    uint64_t *const places[6] = {&g->rdi, &g->rsi, &g->rdx, &g->r10, &g->r8, &g->r9};
    for (unsigned i = 0; i < count; i++)
        *places[i] = args[i];
    if (nr != HV_SAME_CALL)
        g->rax = nr;
    g->rip -= SYSCALL_BYTES;
}

static bool hypercall(struct hv *hv, struct vcpu *v, struct x86_gprs *g)
{
    uint64_t args[6] = {g->rdi, g->rsi, g->rdx, g->r10, g->r8, g->r9};
    return hv_make_call(hv, v, g->rax, args, 0) && pv_resume(hv, v);
}

/* From user mode: the frame shows flat selectors whatever the user had, as SYSCALL itself loads them. */
static bool system_call(struct hv *hv, struct vcpu *v, struct x86_gprs *g, bool compat)
{
    const struct hv_callback *cb = &v->callbacks[compat && v->callbacks[CB_SYSCALL32].address ? CB_SYSCALL32 : CB_SYSCALL];
    struct cpu *cpu = hv_cpu_of(hv, v);
    if (cb->address == 0) {       /* a guest without system calls: the instruction does not exist */
        g->rip -= SYSCALL_BYTES;
        return pv_inject(hv, v, VECTOR_UD, 0);
    }
    if (!pv_bounce(hv, v, cb->address, cb->mask_events ? FRAME_MASK_EVENTS : 0, 0))
        return false;
    cpu_set_rflags(cpu, cpu_rflags(cpu) & ~RFLAGS_DF);
    g->r11 = cpu_rflags(cpu);
    return pv_resume(hv, v);
}

/* A debugger stops before the hypercall: as if the instruction had not been reached. */
static bool stop_before(struct hv *hv, struct vcpu *v, struct x86_gprs *g)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    g->rip -= SYSCALL_BYTES;
    cpu_unretire(cpu);
    if (stops_hypercall(hv, v, g->rax, g->rdi)) {
        cpu_leave_at_breakpoint(cpu);
        return true;
    }
    cpu_retire(cpu);
    g->rip += SYSCALL_BYTES;
    return false;
}

bool op_syscall(void *ctx, struct cpu *cpu)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    struct x86_gprs *g = cpu_gprs(cpu);
    struct x86_segment_state cs;
    cpu_get_segment(cpu, SEG_CS, &cs);
    bool compat = !(cs.attributes & SEG_ATTR_L);
    hv->began = hv_retired(hv) - 1;
    if (hv_stops_on(hv, HV_STOP_HYPERCALL) && v->kernel_mode && !compat && stop_before(hv, v, g))
        return false;
    if (compat && cs.selector != FLAT_USER_CS32) {
        seg_flat(FLAT_USER_CS32, &cs);
        cpu_set_segment(cpu, SEG_CS, &cs);
    }
    pv_sysret(cpu, g);
    /* 32-bit code has no hypercalls in a 64-bit domain, whichever mode it runs in. */
    return v->kernel_mode && !compat ? hypercall(hv, v, g) : system_call(hv, v, g, compat);
}

/* An AMD processor in long mode has no SYSENTER. */
bool op_sysenter(void *ctx, struct cpu *cpu)
{
    struct hv *hv = ctx;
    hv->began = hv_retired(hv) - 1;
    cpu_gprs(cpu)->rip -= SYSCALL_BYTES;
    return pv_inject(hv, hv->current, VECTOR_UD, 0);
}
