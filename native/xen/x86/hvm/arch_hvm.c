/* arch_hvm.c - the table of PVH and HVM domains (../../arch.h). */
#include "../../arch.h"
#include "../../p2m.h"
#include "../../../abi/hvm.h"
#include "hvm.h"
#include "shadow.h"

static void vcpu_created(struct hv *hv, struct vcpu *v)
{
    (void)hv;
    x86_vcpu_born(v);
}

static bool before_run(struct hv *hv, struct vcpu *v)
{
    hvm_resume(hv, v);
    return true;
}

/* A triple fault is the domain's end in the way that the toolstack has chosen. */
static uint8_t gave_up(struct hv *hv, const struct domain *d)
{
    hv->crash_reason = "triple fault";
    return (uint8_t)hvm_of(hv, d)->params[HVM_PARAM_TRIPLE_FAULT_REASON];
}

static uint64_t deadline(struct hv *hv, const struct vcpu *v) { return hvm_vcpu_of(hv, v)->lapic.timer_deadline; }

static uint8_t *memory(struct hv *hv, struct vcpu *v, uint64_t va, enum access access)
{
    uint64_t gpa;
    return hvm_linear_to_physical(hv, v, va, access, true, &gpa) ? hv_ram(hv, hv_domain(hv, v), gpa, access == ACCESS_WRITE)
                                                                 : NULL;
}

static const uint8_t *peek(struct hv *hv, const struct vcpu *v, uint64_t va)
{
    uint64_t gpa = hv_linear_page(hv, &hv->s->vcpus[v->slot], va);
    return gpa == ~UINT64_C(0) ? NULL : hv_ram(hv, hv_domain(hv, v), gpa, false);
}

static struct p2m *p2m(struct hv *hv, const struct domain *d) { return &hvm_of(hv, d)->p2m; }

static struct io_queue *io(struct hv *hv, const struct vcpu *v) { return &hvm_vcpu_of(hv, v)->io; }

static uint64_t *params(struct hv *hv, const struct domain *d) { return hvm_of(hv, d)->params; }

static bool wide(struct hv *hv, const struct vcpu *v) { return hvm_in_64bit(hv_cpu_of(hv, v)); }

static const char *bad_register(const struct hv *hv, struct cpu *scratch, const struct hv_saved_cpu *saved)
{
    (void)hv;
    return hvm_bad_register(scratch, &saved->state);
}

const struct arch ARCH_HVM = {
    .kind = HV_KIND_WHOLE, .model = CPU_X86_64, .shared = {&X86_SHARED_64, &X86_SHARED_32}, .ops = &HVM_OPS,
    .domain = {offsetof(struct hv_state, hvm_domain_offset), sizeof(struct hvm_domain)},
    .vcpu = {offsetof(struct hv_state, hvm_vcpu_offset), sizeof(struct hvm_vcpu)},
    .vcpu_created = vcpu_created, .domain_emptied = shadow_forget_domain, .before_run = before_run, .gave_up = gave_up, .code_base = x86_code_base,
    .registers = x86_registers,
    .events_pending = hvm_events_pending, .can_wake = hvm_can_wake, .deadline = deadline, .expire = lapic_timer,
    .memory = memory, .peek = peek, .p2m = p2m, .map_grant = p2m_map_grant,
    .replace_grant = p2m_replace_grant, .p2m_changed = shadow_forget_domain, .io = io, .params = params,
    .set_line = hvm_set_line, .has = HVM_CALLS, .wide = wide,
    .set_result = x86_set_result, .call_again = hvm_hypercall_again, .bad_register = bad_register,
    .vcpu_ok = validate_hvm_vcpu, .domain_ok = validate_hvm_domain,
};
