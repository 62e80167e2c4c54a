/* arm.h - what the C files of ARM domains share. Not seen by Python.
 *
 * An ARM vcpu has a whole processor: what it does at EL1 and EL0 the engine does. Here is what lies below: stage 2 of its address
 * translation (memory.c), HVC and SMC (call.c, power.c), registers and memory of the interrupt controller and the timers
 * (sysreg.c, mmio.c), interrupts (irq.c). cpu.c ties them to the engine.
 */
#ifndef XENLAB_ARM_ARM_H
#define XENLAB_ARM_ARM_H
#include "../arch.h"
#include "vgic.h"
#include "vtimer.h"

static inline struct arm_domain *arm_of(const struct hv *hv, const struct domain *d)
{
    return (struct arm_domain *)(void *)((uint8_t *)hv->s + hv->s->arm_domain_offset) + d->slot;
}
static inline struct arm_vcpu *arm_vcpus(const struct hv *hv)
{
    return (struct arm_vcpu *)(void *)((uint8_t *)hv->s + hv->s->arm_vcpu_offset);
}
static inline struct arm_vcpu *arm_vcpu_of(const struct hv *hv, const struct vcpu *v) { return arm_vcpus(hv) + v->slot; }
static inline bool arm_narrow(const struct domain *d) { return d->type == DOMAIN_ARM32; }

/* ---- irq.c ---- */
/* The domain's interrupt controller, for vgic_*(). */
struct vgic arm_vgic(struct hv *hv, const struct domain *d);
/* vgic_*() has changed something: inputs of processors follow, and who waits for one wakes. */
void arm_vgic_done(struct hv *hv, const struct domain *d, struct vgic *g);
/* The event interrupt's level follows vcpu_info.evtchn_upcall_pending, which a guest takes back by a plain store. So it is looked
 * at where the guest does something that Xen would see, before that is done; not where a run begins: where it was cut must
 * not show. */
void arm_events_follow(struct hv *hv, struct vcpu *v);
/* An interrupt is at the processor's inputs: WFI ends with it, whether PSTATE masks it or not. */
bool arm_interrupt_waits(struct hv *hv, const struct vcpu *v);
/* struct arch */
void arm_events_pending(struct hv *hv, struct vcpu *v);
bool arm_can_wake(struct hv *hv, const struct vcpu *v);
void arm_enable_events(struct hv *hv, struct vcpu *v);
uint64_t arm_deadline(struct hv *hv, const struct vcpu *v);
void arm_expire(struct hv *hv, struct vcpu *v, uint64_t now);
/* The vcpu has written to its timers, by an instruction that it executes alone: they may be due before the end of the run. */
void arm_timers_written(struct hv *hv, struct vcpu *v);
/* What the vcpu's processor sees at its inputs, unless an instruction is under way. */
void arm_show_lines(struct hv *hv, struct vcpu *v);

/* ---- cpu.c ---- */
extern const struct engine_ops ARM_OPS;               /* without ctx */
/* Registers as a reset leaves them, and the vcpu about to execute `entry` (of 32 bits: bit 0 says Thumb) at EL1 (supervisor mode)
 * with `x0`. */
void arm_reset_cpu(struct hv *hv, struct vcpu *v, uint64_t entry, uint64_t x0);
/* WFI: true: go on, an interrupt is there; false: the vcpu is blocked, and leaves. */
bool arm_wait(struct hv *hv, struct vcpu *v);
/* The vcpu leaves hv_run() for `reason`, with nothing for Python to answer. Always false. */
bool arm_leave(struct cpu *cpu, enum exit_reason reason);

/* ---- memory.c ---- */
bool arm_stage2(void *ctx, struct cpu *cpu, uint64_t ipa, enum access access, struct mapping *map);
uint8_t *arm_memory(struct hv *hv, struct vcpu *v, uint64_t va, enum access access);
const uint8_t *arm_peek(struct hv *hv, const struct vcpu *v, uint64_t va);

/* ---- call.c, power.c, mmio.c, sysreg.c: engine_ops ---- */
bool arm_hvc(void *ctx, struct cpu *cpu, uint32_t immediate);
bool arm_smc(void *ctx, struct cpu *cpu, uint32_t immediate);
/* A call of the power interface, by HVC or SMC #0; whether the vcpu goes on. */
bool arm_power(struct hv *hv, struct vcpu *v);
enum io_answer arm_io(void *ctx, struct cpu *cpu, struct io_access *access);
enum io_answer arm_sysreg(void *ctx, struct cpu *cpu, const struct arm_sysreg *reg, bool write, uint64_t *value, bool alone);
/* debug.c: the debug registers, CP14's in AArch32. */
bool arm_is_debug(const struct arm_sysreg *reg);
enum io_answer arm_debug(const struct arm_sysreg *reg, bool write, uint64_t *value);
/* An interrupt was acknowledged, if it is one: for the log. */
void arm_log_acknowledged(struct hv *hv, const struct vcpu *v, uint64_t intid);
void arm_call_again(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count);
void arm_set_result(struct hv *hv, const struct vcpu *v, int64_t result);
extern const struct shared_layout ARM_SHARED;         /* shared.c */
extern const uint8_t ARM_HAS[];
extern hypercall_fn *const ARM_CALLS[];

/* ---- validate.c ---- */
const char *arm_bad_register(const struct hv *hv, struct cpu *scratch, const struct hv_saved_cpu *saved);
bool arm_vcpu_ok(struct validation *c, struct vcpu *v);
bool arm_domain_ok(struct validation *c, const struct domain *d);

#endif
