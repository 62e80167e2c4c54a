/* arm/state.h - what an ARM domain and its vcpus have beside what every one has. Plain data in the arena, by the rules of
 * ../state.h.
 */
#ifndef XENLAB_ARM_STATE_H
#define XENLAB_ARM_STATE_H
#ifndef XENLAB_CFFI
#include <stdint.h>
#endif
#include "../io_state.h"
#include "../p2m_state.h"

enum {
    VGIC_SGIS = 16,               /* interrupts 0..15: software generated */
    VGIC_PRIVATE = 32,            /* and 16..31: of one processor's peripherals */
    VGIC_SPIS = 988,              /* shared ones: interrupts 32..1019 */
    VGIC_SPI_BANKS = 31,          /* the last is 4 short */
    VGIC_GROUPS = 2,
    VTIMERS = 2,                  /* enum vtimer */
    ARM_PARAMS = 40               /* HVM_NR_PARAMS, rounded up */
};

/* ---- interrupt controller ---- */
struct vgic_bank {                /* 32 interrupts: a bit for each */
    uint32_t enabled, active;
    uint32_t pending;             /* latched: not what a level alone holds up. SGIs of a GICv2: as sgi_from says */
    uint32_t lines;               /* levels of the inputs */
    uint32_t edge;                /* the rise of the input is latched; else its level counts */
};
struct vgic_cpu {                 /* what each processor has of its own */
    struct vgic_bank own;         /* interrupts 0..31: a redistributor, or the banked registers of the distributor */
    uint8_t priority[32];         /* VGIC_PRIVATE */
    uint8_t sgi_from[16];         /* VGIC_SGIS; GICv2: the processors whose request waits, a bit for each */
    uint32_t ctlr;                /* processor interface: VGIC_*, laid out as GICC_CTLR whatever the version */
    uint32_t apr[2];              /* VGIC_GROUPS: active priorities, a bit for each of 32 levels */
    uint8_t bpr[2];               /* VGIC_GROUPS: binary points */
    uint8_t pmr;                  /* priority mask */
    uint8_t lines_out;            /* enum vgic_line: where the processor's inputs stand; follows from all the rest */
    uint32_t pad;
};
struct vgic_dist {                /* what the domain has once */
    uint32_t version;             /* 2 or 3 */
    uint32_t spis;                /* how many shared interrupts: whole banks, or all 988 */
    uint32_t enable;              /* GICD_CTLR forwards interrupts */
    struct vgic_bank spi[31];     /* VGIC_SPI_BANKS: from interrupt 32 on */
    uint8_t priority[988];        /* VGIC_SPIS */
    uint8_t target[988];          /* VGIC_SPIS: the one vcpu that it goes to */
};

/* ---- generic timer ---- */
struct vtimer {
    uint64_t cval;
    uint32_t ctl;                 /* VTIMER_ENABLE, VTIMER_IMASK */
    uint32_t pad;
};

struct arm_vcpu {
    struct io_queue io;
    struct vgic_cpu gic;
    struct vtimer timer[2];       /* VTIMERS */
};

struct arm_domain {
    struct p2m p2m;
    uint64_t params[40];          /* ARM_PARAMS: HVM_PARAM_* */
    uint64_t cntvoff;             /* what CNTVCT is behind CNTPCT, in ticks (of 1 ns) */
    struct vgic_dist gic;
};

#endif
