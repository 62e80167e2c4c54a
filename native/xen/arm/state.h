/* arm/state.h - what an ARM domain and its vcpus have beside what every one has. Plain data in the arena, by the rules of
 * ../state.h.
 */
#ifndef XENLAB_ARM_STATE_H
#define XENLAB_ARM_STATE_H
#ifndef XENLAB_CFFI
#include <stdint.h>
#endif

enum {
    VGIC_SGIS = 16,               /* interrupts 0..15: software generated */
    VGIC_PRIVATE = 32,            /* and 16..31: of one processor's peripherals */
    VGIC_SPIS = 988,              /* shared ones: interrupts 32..1019 */
    VGIC_SPI_WORDS = 31,          /* words with a bit for each */
    VGIC_GROUPS = 2,
    VTIMERS = 2,                  /* enum vtimer */
    ARM_PARAMS = 40               /* HVM_NR_PARAMS, rounded up */
};

/* ---- interrupt controller: what each processor has of its own ---- */
struct vgic_cpu {
    /* redistributor, or the banked registers of the distributor: a bit for each of the interrupts 0..31 */
    uint32_t enabled, active;
    uint32_t pending;             /* latched: not what a level alone holds up. SGIs of a GICv2: derived from sgi_from */
    uint32_t lines;               /* levels of the inputs */
    uint8_t priority[32];         /* VGIC_PRIVATE */
    uint8_t sgi_from[16];         /* GICv2: for each SGI, which processors' request waits */
    /* processor interface */
    uint32_t ctlr;                /* VGIC_*, laid out as GICC_CTLR, whatever the version */
    uint32_t apr[2];              /* VGIC_GROUPS: active priorities, a bit for each of 32 levels */
    uint8_t bpr[2];               /* VGIC_GROUPS: binary points */
    uint8_t pmr;
    uint8_t lines_out;            /* enum vgic_line: what the processor's inputs stand at; follows from all the rest */
};

/* ---- interrupt controller: what the domain has once ---- */
struct vgic_dist {
    uint32_t version;             /* 2 or 3 */
    uint32_t spis;                /* how many shared interrupts, a multiple of 32 (the last word may be short) */
    uint32_t enable;              /* GICD_CTLR forwards interrupts */
    uint32_t pad;
    uint32_t enabled[31], active[31], pending[31], lines[31], edge[31];      /* VGIC_SPI_WORDS; edge: the latch takes edges */
    uint8_t priority[988];        /* VGIC_SPIS */
    uint8_t target[988];          /* VGIC_SPIS: the one vcpu that it goes to */
    uint32_t tail_pad;
};

/* ---- generic timer ---- */
struct vtimer {
    uint64_t cval;
    uint32_t ctl;                 /* VTIMER_ENABLE, VTIMER_IMASK */
    uint32_t pad;
};

struct arm_vcpu {
    struct vgic_cpu gic;
    struct vtimer timer[2];       /* VTIMERS */
};

struct arm_domain {
    uint64_t params[40];          /* ARM_PARAMS: HVM_PARAM_* */
    uint64_t cntvoff;             /* what CNTVCT is behind CNTPCT, in ticks (of 1 ns) */
    struct vgic_dist gic;
};

#endif
