/* arch_pv.c - the table of PV domains (../arch.h). */
#include "../arch.h"
#include "decode.h"
#include "pv.h"
#include "hvm/shadow.h"

/* The TSC ticks at 1 GHz from system time 0. */
static uint64_t op_tsc(void *ctx, struct cpu *cpu)
{
    (void)cpu;
    return hv_now(ctx);
}

/* Every IN and OUT of a PV guest is a #GP first: permission is checked, and the access made, by the emulator. */
static enum io_answer op_io(void *ctx, struct cpu *cpu, struct io_access *access)
{
    (void)ctx;
    (void)cpu;
    (void)access;
    return IO_FAULT;
}

static const struct engine_ops PV_OPS = {
    .exception = op_exception, .syscall = op_syscall, .sysenter = op_sysenter, .translate = mm_translate, .cpuid = op_cpuid,
    .tsc = op_tsc, .io = op_io, .breakpoint = stops_breakpoint, .watched = stops_watched, .table_changed = shadow_table_changed,
};

enum { GDT_XEN_PAGE = 14 };

void x86_vcpu_born(struct vcpu *v)
{
    v->kernel_ss = FLAT_KERNEL_SS;
    v->ctrlreg[4] = pv_fixup_cr4(0);
    v->debugreg[6] = DR6_DEFAULT;
    v->debugreg[7] = DR7_DEFAULT;
}

static void vcpu_created(struct hv *hv, struct vcpu *v)
{
    x86_vcpu_born(v);
    v->gdt_frames[GDT_XEN_PAGE] = hv->s->xen_gdt_frame;
    pv_reset_cpu(hv_cpu_of(hv, v), v->slot);
}

/* Where a run was cut (a slice, a breakpoint, an instruction to be decoded) must not show. A guest that unmasks events by a
 * plain store gets them at the next exit that is its own, or when another event arrives. */
static bool before_run(struct hv *hv, struct vcpu *v) { return v->undisturbed ? pv_go_on(hv, v) : pv_resume(hv, v); }

static bool can_wake(struct hv *hv, const struct vcpu *v)
{
    const struct vcpu_info *info = pv_info(hv, v);
    return info && info->evtchn_upcall_pending && !info->evtchn_upcall_mask;
}

static bool wide(struct hv *hv, const struct vcpu *v) { return hv_domain(hv, v)->type != DOMAIN_PV32; }

void x86_set_result(struct hv *hv, const struct vcpu *v, int64_t result)
{
    cpu_gprs(hv_cpu_of(hv, v))->rax = hv_wide_call(hv, v) ? (uint64_t)result : (uint32_t)result;
}

uint64_t x86_code_base(struct cpu *cpu) { return cpu_segment_base(cpu, SEG_CS); }

uint64_t x86_registers(struct cpu *cpu, struct evidence *out)
{
    out->registers = *cpu_gprs(cpu);
    return out->registers.rsp;
}

const struct arch ARCH_PV = {
    .kind = HV_KIND_PV, .model = CPU_X86_64, .shared = {&X86_SHARED_64, &X86_SHARED_32}, .ops = &PV_OPS, .vcpu_created = vcpu_created, .before_run = before_run, .code_base = x86_code_base,
    .registers = x86_registers,
    .can_wake = can_wake, .memory = pv_memory, .peek = pv_peek, .map_grant = pv_map_grant,
    .replace_grant = pv_replace_grant, .address_ok = pv_guest_address, .calls = PV_CALLS, .wide = wide,
    .set_result = x86_set_result, .call_again = pv_call_again, .bad_register = pv_bad_register, .vcpu_ok = pv_vcpu_ok,
};
