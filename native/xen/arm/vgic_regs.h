/* vgic_regs.h - what the files of the interrupt controller share: interrupts and their banks, the processor interface, and
 * register files as tables.
 */
#ifndef XENLAB_ARM_VGIC_REGS_H
#define XENLAB_ARM_VGIC_REGS_H
#include <stddef.h>
#include "vgic.h"

enum { VGIC_SPURIOUS = 1023, VGIC_SPECIAL = 1020, VGIC_NOBODY = ~0u };
/* Processor interface: GICC_CTLR (IHI 0048B 4.4.1) */
enum { VGIC_GROUP0 = 1, VGIC_GROUP1 = 2, VGIC_ACKCTL = 4, VGIC_FIQEN = 8, VGIC_CBPR = 0x10, VGIC_EOIMODE = 0x200 };
enum {
    VGIC_PRIORITY_MASK = 0xf8,    /* 5 bits, as list registers have */
    VGIC_PRIORITY_SHIFT = 3,
    VGIC_BPR0_LEAST = 2, VGIC_BPR1_LEAST = 3, VGIC_BPR_MOST = 7,
    VGIC_IDLE = 0xff              /* the running priority when nothing is active */
};
#define VGIC_SGI_BITS 0xffffu

/* ---- vgic.c ---- */
/* A vcpu's part, or NULL: there is no such vcpu. */
struct vgic_cpu *vgic_cpu_of(const struct vgic *g, unsigned vcpu);
/* Interrupts 32 * n and on, as `vcpu` sees them (VGIC_NOBODY: nobody's private ones), or NULL; `bits`: those that are there. */
struct vgic_bank *vgic_bank(const struct vgic *g, unsigned vcpu, unsigned n, uint32_t *bits);
uint8_t *vgic_priority(const struct vgic *g, unsigned vcpu, unsigned intid);
uint32_t vgic_pending_bits(const struct vgic_bank *b);
/* vgic_init() has been called: before it there is no controller. */
bool vgic_there(const struct vgic *g);
/* Xen gives all of a GICv2's interrupts to group 0, and all of a GICv3's to group 1 (the non-secure view). */
unsigned vgic_group(const struct vgic *g);
/* Something has changed: of one vcpu, of every one, of bank n. */
void vgic_update(struct vgic *g, unsigned vcpu);
void vgic_update_all(struct vgic *g);
void vgic_update_bank(struct vgic *g, unsigned vcpu, unsigned n);
unsigned vgic_computed_lines(const struct vgic *g, unsigned vcpu);
/* Software generated interrupt `sgi` for a vcpu, if it is there. */
void vgic_send(struct vgic *g, unsigned from, unsigned to, unsigned sgi);
/* GICv2: pending follows sgi_from. */
void vgic_sgi_pending(struct vgic_cpu *c, unsigned sgi);

/* ---- vgic_cpu.c: the processor interface ---- */
/* An interrupt is taken: what an IAR of the group gives (GICv2: with its source in bits 12..10). */
uint32_t vgic_acknowledge(struct vgic *g, unsigned vcpu, unsigned group);
/* It has been served: priority drop and, unless EOImode is set, deactivation. A number that is no interrupt's is ignored. */
void vgic_end(struct vgic *g, unsigned vcpu, unsigned group, unsigned intid);
/* GICC_DIR, ICC_DIR_EL1. */
void vgic_deactivate(struct vgic *g, unsigned vcpu, unsigned intid);
uint32_t vgic_highest_pending(const struct vgic *g, unsigned vcpu, unsigned group);
unsigned vgic_running(const struct vgic_cpu *c);
/* The bits of a priority that count when it is compared with a running one. */
uint8_t vgic_group_mask(const struct vgic_cpu *c, unsigned group);
uint8_t vgic_get_bpr(const struct vgic_cpu *c, unsigned group);
void vgic_set_bpr(struct vgic *g, unsigned vcpu, unsigned group, uint32_t value);
/* The best that could be sent to the vcpu now, whatever its interface says; VGIC_SPURIOUS: none. */
unsigned vgic_best(const struct vgic *g, unsigned vcpu, uint8_t *priority);

/* ---- vgic_files.c: registers that more than one frame has ---- */
/* Neighbouring registers. `vcpu` is whose redistributor or banked registers they are. A handler moves one register of `unit` bytes; none: reads as zero, writes are ignored. */
struct vgic_range {
    uint32_t first, last;         /* offsets of the first and the last byte */
    uint8_t unit;
    uint8_t widths;               /* sizes of access that reach it: the sum of some of 1, 2, 4, 8 */
    uint16_t base;                /* the index of the first; the others count on */
    uint64_t (*read)(struct vgic *g, unsigned vcpu, uint32_t index);
    void (*write)(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
};
enum { VGIC_ANY_WIDTH = 15 };
/* One access by a table; what it does not list aborts. */
enum vgic_answer vgic_access(const struct vgic_range *table, size_t count, struct vgic *g, unsigned vcpu, uint32_t offset,
                             unsigned bytes, bool write, uint64_t *value);
/* Handlers: index counts registers from interrupt 0 on (bytes, for priorities). */
uint64_t vgic_read_enabled(struct vgic *g, unsigned vcpu, uint32_t index);
uint64_t vgic_read_pending(struct vgic *g, unsigned vcpu, uint32_t index);
uint64_t vgic_read_active(struct vgic *g, unsigned vcpu, uint32_t index);
uint64_t vgic_read_priority(struct vgic *g, unsigned vcpu, uint32_t index);
uint64_t vgic_read_config(struct vgic *g, unsigned vcpu, uint32_t index);
void vgic_write_enable(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_disable(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_pend(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_unpend(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_activate(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_deactivate(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_priority(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
void vgic_write_config(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value);
/* GICD_TYPER's fields that both versions have: processors, interrupts. */
uint32_t vgic_typer(const struct vgic *g);

/* ---- one a version ---- */
enum vgic_answer vgic_v2_mmio(struct vgic *g, unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);
enum vgic_answer vgic_v3_mmio(struct vgic *g, unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);

#endif
