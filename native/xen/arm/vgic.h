/* vgic.h - the virtual interrupt controller: GICv2 (IHI 0048B) or GICv3 without LPIs (IHI 0069), as a guest of Xen sees it.
 *
 * Nothing here knows the engine or the hypervisor: a caller says where the state is (struct vgic), and reads in `changed`
 * whose inputs may stand differently. docs/arm-gic.md has the whole picture.
 */
#ifndef XENLAB_ARM_VGIC_H
#define XENLAB_ARM_VGIC_H
#ifndef XENLAB_CFFI
#include <stdbool.h>
#endif
#include "state.h"

/* The controller of one domain. `slot` maps a vcpu's number to its place in `all`; VGIC_NO_SLOT: there is none. */
struct vgic {
    struct vgic_dist *dist;
    struct arm_vcpu *all;
    const uint16_t *slot;
    unsigned vcpus;               /* the domain's most, up to 64 (8 for a GICv2) */
    uint64_t changed;             /* out, a bit for each vcpu: vgic_lines() differs from what it was; only ever added to */
};
enum { VGIC_NO_SLOT = 0xffff, VGIC_V2_VCPUS = 8 };

/* The answer to an access. */
enum vgic_answer {
    VGIC_DONE,
    VGIC_ELSEWHERE,               /* no address or register of the controller */
    VGIC_ABORT                    /* not a way to reach it: an external data abort; of a system register: undefined */
};
enum vgic_line { VGIC_IRQ = 1, VGIC_FIQ = 2 };

/* ---- vgic.c: the life of an interrupt ---- */
/* As a reset leaves it. Before this has been called (all zeros) there is no controller: nothing reaches it. `spis`: 0..988, rounded up to whole banks. False: no such version or count. */
bool vgic_init(struct vgic *g, unsigned version, unsigned spis);
/* A vcpu as a reset leaves it; its input lines stay as its devices hold them. */
void vgic_init_vcpu(struct vgic *g, unsigned vcpu);
/* The level of an input: a PPI of `vcpu`, or an SPI (`vcpu` does not matter). An interrupt that is not there is ignored. */
void vgic_set_line(struct vgic *g, unsigned vcpu, unsigned intid, bool level);
/* enum vgic_line: the processor's inputs that stand. */
unsigned vgic_lines(const struct vgic *g, unsigned vcpu);

/* ---- vgic_v2.c, vgic_v3.c: registers ---- */
/* One access to guest-physical memory; little endian in *value, zero beyond `bytes`. */
enum vgic_answer vgic_mmio(struct vgic *g, unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);
/* An MRS or MSR at EL1. Whatever names ICC_*_EL1; the AArch32 names are those that the architecture maps to them, and an
 * MCRR of ICC_SGI1R is a write of 64 bits. */
enum vgic_answer vgic_sysreg(struct vgic *g, unsigned vcpu, uint32_t reg, bool write, uint64_t *value);
/* How vgic_sysreg() and vtimer_sysreg() number registers: bits 20..5 of the instruction. */
#define ARM_SYSREG(op0, op1, crn, crm, op2) ((uint32_t)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))

/* ---- affinity ---- */
enum { VGIC_CLUSTER = 16 };       /* vcpus that share Aff1: Xen's choice, so that every one can have a bit of an SGI's list */
/* MPIDR_EL1's affinity fields of a vcpu, and back: ~0 if no vcpu number has it. */
uint64_t arm_affinity(unsigned vcpu);
unsigned arm_affinity_vcpu(uint64_t mpidr);

/* ---- state that comes from a file ---- */
/* The name of what could not have come about by itself, or NULL. Lines out are computed again and compared. */
const char *vgic_bad(struct vgic *g);

#endif
