/* gic_cpu.h (ARM) - more of the processor interface than handling interrupts takes, the same for both versions. */
#ifndef GUEST_ARM_GIC_CPU_H
#define GUEST_ARM_GIC_CPU_H
#include <icc.h>

enum { GIC_IDLE = 0xff, GIC_FIQ_ENABLE = 8, GIC_EOI_MODE = 0x200, GIC_ID = 0x3ff };
enum { GICC_APR = 0xd0, GICC_DIR = 0x1000, ICC_EOI_MODE = 2 };

static inline bool gic_is_v3(void) { return gic_version() == 3; }

/* Only interrupts of a higher priority (a lower number) come. */
static inline void gic_mask(unsigned priority)
{
    if (gic_is_v3())
        icc_write(ICC_PMR, priority);
    else
        *gicc(GICC_PMR) = priority;
    arch_isb();
}
static inline unsigned gic_get_mask(void) { return gic_is_v3() ? icc_read(ICC_PMR) : *gicc(GICC_PMR); }
/* The priority of what is being served; GIC_IDLE: nothing is. */
static inline unsigned gic_running(void) { return gic_is_v3() ? icc_read(ICC_RPR) : *gicc(GICC_RPR); }
/* What is pending and of the highest priority, without taking it. */
static inline unsigned gic_highest(void) { return (gic_is_v3() ? icc_read(ICC_HPPIR1) : *gicc(GICC_HPPIR)) & GIC_ID; }
/* The lowest bit of a priority that counts for preemption, 3 to 7: a GICv2's binary point is one less. */
static inline void gic_point(unsigned lowest)
{
    if (gic_is_v3())
        icc_write(ICC_BPR1, lowest);
    else
        *gicc(GICC_BPR) = lowest - 1;
    arch_isb();
}
static inline unsigned gic_get_point(void) { return gic_is_v3() ? icc_read(ICC_BPR1) : *gicc(GICC_BPR) + 1; }
/* Whether the end of an interrupt only drops its priority, and gic_deactivate() is still to come. */
static inline void gic_split_end(bool split)
{
    if (gic_is_v3())
        icc_write(ICC_CTLR, split ? ICC_EOI_MODE : 0);
    else
        *gicc(GICC_CTLR) = 1 | (split ? GIC_EOI_MODE : 0);
    arch_isb();
}
static inline void gic_deactivate(uint32_t acknowledged)
{
    if (gic_is_v3())
        icc_write(ICC_DIR, acknowledged);
    else
        *gicc(GICC_DIR) = acknowledged;
    arch_isb();
}
/* Is the bit of an interrupt set in one of the files of bits (GICD_*)? */
static inline bool gic_has(unsigned base, unsigned interrupt) { return *gic_bits(base, interrupt) >> interrupt % 32 & 1; }
static inline void gic_write(unsigned base, unsigned interrupt) { *gic_bits(base, interrupt) = 1u << interrupt % 32; }
/* Make a PPI pending (of a GICv2, ISPENDR does not reach SGIs). */
static inline void gic_pend(unsigned interrupt) { gic_write(GICD_ISPENDR, interrupt); }
/* A test that acknowledges by itself has no use for events: their interrupt is pending as soon as a vcpu_info is registered. */
static inline void gic_without_events(void) { gic_disable(GUEST_EVTCHN_PPI); }
/* Take what is there; end it again. Returns its number. */
static inline unsigned gic_take_and_end(void)
{
    uint32_t acknowledged = gic_acknowledge();

    if ((acknowledged & GIC_ID) < 1020)
        gic_end(acknowledged);
    return acknowledged & GIC_ID;
}

#endif
