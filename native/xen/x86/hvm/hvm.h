/* hvm.h - what the C files of full virtualisation share. Not seen by Python.
 *
 * An HVM (or PVH) vcpu has a whole processor: the engine's `native` cpu. What it cannot do by itself is here: guest-physical
 * addresses (p2m.c, paging.c), interrupt controllers (lapic.c, pic.c, ioapic.c), MSRs and CPUID, accesses to devices
 * (io.c), hypercalls (call.c). cpu.c ties them to the engine.
 */
#ifndef XENLAB_HVM_H
#define XENLAB_HVM_H
#include "../pv.h"

#define CR0_PG      0x80000000ull
#define CR0_WP      0x10000ull
#define CR0_PE      0x1ull
#define CR4_PSE     0x10ull
#define CR4_PAE     0x20ull
#define EFER_LMA    0x400ull
#define EFER_NX     0x800ull

static inline struct hvm_domain *hvm_of(struct hv *hv, const struct domain *d)
{
    return (struct hvm_domain *)(void *)((uint8_t *)hv->s + hv->s->hvm_domain_offset) + d->slot;
}
static inline struct hvm_vcpu *hvm_vcpu_of(struct hv *hv, const struct vcpu *v)
{
    return (struct hvm_vcpu *)(void *)((uint8_t *)hv->s + hv->s->hvm_vcpu_offset) + v->slot;
}
static inline bool is_hvm(const struct domain *d) { return d->type == DOMAIN_PVH || d->type == DOMAIN_HVM; }
static inline unsigned hvm_cpl(struct cpu *cpu)
{
    struct x86_segment_state ss;
    cpu_get_segment(cpu, SEG_SS, &ss);
    return ss.attributes >> 13 & 3;
}

/* ---- cpu.c ---- */
void hvm_set_line(struct hv *hv, struct domain *d, uint32_t gsi, bool level);
extern const struct engine_ops HVM_OPS;              /* without ctx */
/* Before cpu_run(): attention, an instruction to be executed alone. */
void hvm_resume(struct hv *hv, struct vcpu *v);
/* A controller's registers were written, by the instruction that the vcpu executes, alone: another interrupt may be next,
 * and the timer due before the end of the run. */
void hvm_changed(struct hv *hv, struct vcpu *v);
/* Would an interrupt be taken now: is there one that waits, and the interrupt flag set, or an NMI? */
bool hvm_can_wake(struct hv *hv, const struct vcpu *v);
/* Something has come that may wake the vcpu, or that it may take. */
void hvm_kick(struct hv *hv, struct vcpu *v);
/* The state of the processor after RESET or INIT (`init` keeps what INIT keeps). */
void hvm_reset_cpu(struct hv *hv, struct vcpu *v, bool init);

/* The upcall of the vcpu has become pending. */
void hvm_events_pending(struct hv *hv, struct vcpu *v);
/* The guest leaves to the hypervisor: the callback's line goes down if the upcall is pending no more. */
void hvm_callback_follows(struct hv *hv, struct domain *d);
void hvm_cpuid(void *ctx, struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* ---- paging.c ---- */
bool hvm_translate(void *ctx, struct cpu *cpu, uint64_t va, enum access access, bool user, struct mapping *map);
/* The guest's paging mode, for a walk of its tables. */
struct x86_paging hvm_paging(struct hv *hv, struct cpu *cpu, const struct vcpu *v);
/* The p2m's entry of a guest frame as a processor sees it: where its local APIC is, there is no RAM. */
uint64_t hvm_p2m_at(struct hv *hv, const struct hvm_domain *h, uint64_t gfn);
/* How an access would be translated, nothing being marked. */
struct hvm_path {
    struct x86_paging paging;     /* levels 0: paging is off, and the rest does not count */
    struct x86_walk tables;
};
/* The guest frame and the guest's rights of `va`; false: a page fault, map->error. */
bool hvm_look(struct hv *hv, const struct vcpu *v, uint64_t va, enum access access, bool user, struct hvm_path *path,
              struct mapping *map);
/* Guest-physical address of `va` with ring 0's rights; false: not mapped. No accessed bits unless `update`. */
bool hvm_linear_to_physical(struct hv *hv, struct vcpu *v, uint64_t va, enum access access, bool update, uint64_t *gpa);

/* ---- shadow_audit.c ---- */
/* Cached translations compared with the guests' tables. */
void hvm_audit(struct hv *hv, struct differences *found);

/* ---- validate.c ---- */
/* The name of a register that no guest of a whole processor could have, NULL: all can be. `scratch`: a cpu to try them on. */
const char *hvm_bad_register(struct cpu *scratch, const struct x86_state *state);
struct validation;
bool validate_hvm_vcpu(struct validation *c, struct vcpu *v);
bool validate_hvm_domain(struct validation *c, const struct domain *d);

/* ---- msr.c ---- */
/* Can a processor be in this mode? */
bool hvm_mode_ok(uint64_t cr0, uint64_t cr4, uint64_t efer);

/* ---- canonical.c ---- */
/* The exception that is due at rip for an access to an address that is not canonical: #SS or #GP. */
uint32_t hvm_non_canonical_vector(struct hv *hv, struct vcpu *v);

/* ---- media.c ---- */
/* Is the instruction at rip, of which the engine says that the FPU is not available, one of MMX or SSE that is undefined now? */
bool hvm_media_undefined(struct hv *hv, struct vcpu *v);

/* ---- io.c ---- */
enum io_answer hvm_io(void *ctx, struct cpu *cpu, struct io_access *access);

/* ---- msr.c ---- */
enum io_answer hvm_msr(void *ctx, struct cpu *cpu, uint32_t number, bool write, uint64_t *value, bool alone);
bool hvm_write_cr(void *ctx, struct cpu *cpu, int n, uint64_t *value);
void hvm_reset_msrs(struct hvm_vcpu *hvcpu);

/* ---- forced.c ---- */
/* Is the undefined instruction at rip a forced emulation prefix, and the domain one that has it? Then rip is behind it. */
bool hvm_forced(struct hv *hv, struct vcpu *v);

/* ---- call.c ---- */
/* Does the processor run 64-bit code? */
bool hvm_in_64bit(struct cpu *cpu);
/* The linear address of the instruction at rip. */
uint64_t hvm_code_address(struct cpu *cpu);
/* Is the undefined instruction at rip VMCALL or VMMCALL? Then it is a hypercall: true, and *go_on. */
bool hvm_hypercall(struct hv *hv, struct vcpu *v, bool *go_on);
/* struct arch: call_again, set_result; numbers that an HVM guest has. */
void hvm_hypercall_again(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count);
extern const uint8_t HVM_CALLS[];
/* Fill a page with the hypercalls, for MSR 0x40000000. */
void hvm_hypercall_page(uint8_t *page);

/* ---- lapic.c ---- */
#define LAPIC_BASE 0xfee00000ull
void lapic_reset(struct hvm_lapic *l, uint32_t id, bool init);
/* Could its registers be read back like this? */
bool lapic_ok(const struct hvm_lapic *l);
uint32_t lapic_read(struct hv *hv, struct vcpu *v, uint32_t offset);
/* By the vcpu itself: hvm_changed() follows. */
void lapic_write(struct hv *hv, struct vcpu *v, uint32_t offset, uint32_t value);
/* Is it there at all (APIC_BASE); and does it take interrupts (the spurious-interrupt register too)? */
bool lapic_present(const struct hvm_lapic *l);
bool lapic_enabled(const struct hvm_lapic *l);
/* An interrupt arrives. */
void lapic_accept(struct hv *hv, struct vcpu *v, uint32_t vector, bool level);
/* The vector that is to be taken next, -1: none above the processor's priority. */
int lapic_pending(const struct hvm_lapic *l);
/* The processor takes it: from IRR to ISR. */
void lapic_acknowledge(struct hvm_lapic *l, uint32_t vector);
/* Does LINT0 let the 8259A's interrupt through? */
bool lapic_accepts_pic(const struct hvm_lapic *l);
void lapic_set_tpr(struct hvm_lapic *l, uint32_t tpr);
bool lapic_set_base(struct hvm_lapic *l, uint64_t value);
void lapic_set_tsc_deadline(struct hv *hv, struct vcpu *v, uint64_t tsc);
/* Expire the timer if it is due. */
void lapic_timer(struct hv *hv, struct vcpu *v, uint64_t now);
/* Send a message with a destination, as the ICR and the IOAPIC do. `mode` 0 fixed .. 7 ExtINT (SDM vol. 3, 10.6.1). */
void lapic_message(struct hv *hv, struct domain *d, uint32_t destination, bool logical, uint32_t mode, uint32_t vector, bool level);

/* ---- pic.c, ioapic.c ---- */
void pic_reset(struct hvm_pic *pic, bool slave);
void pic_set_line(struct hvm_domain *h, uint32_t irq, bool level);
/* The vector of the interrupt that the pair asks for now; acknowledging it. -1: none (any more). */
bool pic_asks(const struct hvm_domain *h);
int pic_acknowledge(struct hvm_domain *h);
/* Ports 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1: true if the port is one. */
bool pic_access(struct hvm_domain *h, struct io_access *access);
#define IOAPIC_BASE 0xfec00000ull
void ioapic_reset(struct hvm_ioapic *ioapic);
void ioapic_set_pin(struct hv *hv, struct domain *d, uint32_t pin, bool level);
uint32_t ioapic_read(const struct hvm_ioapic *ioapic, uint32_t offset);
void ioapic_write(struct hv *hv, struct domain *d, uint32_t offset, uint32_t value);
/* A level-triggered vector was ended at some LAPIC. */
void ioapic_end(struct hv *hv, struct domain *d, uint32_t vector);

#endif
