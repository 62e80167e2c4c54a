/* vgic_v3.c - GICv3: the distributor (GICD) and a redistributor for each vcpu (GICR) in guest-physical memory, the processor
 * interface as system registers (ICC_*).
 *
 * A guest of Xen sees the non-secure half of a controller with two security states, affinity routing always on and no LPIs: all
 * interrupts are in group 1, the registers that say otherwise read as zero (GICD_IGROUPR, GICR_WAKER and so on), and SGIs and PPIs
 * are the redistributors' alone. Offsets and encodings: IHI 0069 12.8-12.11 and 12.2.
 */
#include "vgic_regs.h"
#include "abi/arch/arm.h"

enum { IIDR_ARM = 0x34c, PIDR2_V3 = 0x30 };
enum { GICD_ENABLE_GROUP1A = 2, GICD_ARE = 0x10, GICD_ID_BITS = 9 << 19 };          /* GICD_TYPER.IDbits: numbers of 10 bits */
enum { TYPER_LAST = 0x10, TYPER_NUMBER_SHIFT = 8, TYPER_AFFINITY_SHIFT = 32 };
enum { FRAME = 0x10000, REDISTRIBUTOR = 2 * FRAME };
#define IROUTER_ANY (UINT64_C(1) << 31)

/* ---- GICD ---- */

static uint64_t read_ctlr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return GICD_ARE | (g->dist->enable ? GICD_ENABLE_GROUP1A : 0);
}
static void write_ctlr(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    g->dist->enable = (value & GICD_ENABLE_GROUP1A) != 0;
    vgic_update_all(g);
}
static uint64_t read_typer(struct vgic *g, unsigned vcpu, uint32_t index) { return vgic_typer(g) | GICD_ID_BITS; }
static uint64_t read_iidr(struct vgic *g, unsigned vcpu, uint32_t index) { return IIDR_ARM; }
static uint64_t read_pidr2(struct vgic *g, unsigned vcpu, uint32_t index) { return PIDR2_V3; }

/* Where an SPI goes. Any processor may be meant: that is vcpu 0, and said so when read, as on Xen. */
static uint64_t read_router(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return index - VGIC_PRIVATE < g->dist->spis ? arm_affinity(g->dist->target[index - VGIC_PRIVATE]) : 0;
}
static void write_router(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    unsigned target = value & IROUTER_ANY ? 0 : arm_affinity_vcpu(value);
    if (index - VGIC_PRIVATE >= g->dist->spis || !vgic_cpu_of(g, target))
        return;
    g->dist->target[index - VGIC_PRIVATE] = (uint8_t)target;
    vgic_update_all(g);
}

static const struct vgic_range gicd[] = {
    {0x0000, 0x0003, 4, 4, 0, read_ctlr, write_ctlr},
    {0x0004, 0x0007, 4, 4, 0, read_typer, NULL},
    {0x0008, 0x000b, 4, 4, 0, read_iidr, NULL},
    {0x0010, 0x0013, 4, 4, 0, NULL, NULL},                      /* STATUSR */
    {0x000c, 0x007f, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},         /* reserved; messages to SPIs */
    {0x0080, 0x00ff, 4, 4, 0, NULL, NULL},                      /* IGROUPR */
    {0x0100, 0x017f, 4, 4, 0, vgic_read_enabled, vgic_write_enable},
    {0x0180, 0x01ff, 4, 4, 0, vgic_read_enabled, vgic_write_disable},
    {0x0200, 0x027f, 4, 4, 0, vgic_read_pending, vgic_write_pend},
    {0x0280, 0x02ff, 4, 4, 0, vgic_read_pending, vgic_write_unpend},
    {0x0300, 0x037f, 4, 4, 0, vgic_read_active, vgic_write_activate},
    {0x0380, 0x03ff, 4, 4, 0, vgic_read_active, vgic_write_deactivate},
    {0x0400, 0x07fb, 1, 1 | 4, 0, vgic_read_priority, vgic_write_priority},
    {0x0800, 0x0bfb, 4, 1 | 4, 0, NULL, NULL},                  /* ITARGETSR */
    {0x0c00, 0x0cff, 4, 4, 0, vgic_read_config, vgic_write_config},
    {0x0d00, 0x0d7f, 4, 4, 0, NULL, NULL},                      /* IGRPMODR */
    {0x0e00, 0x0eff, 4, 4, 0, NULL, NULL},                      /* NSACR */
    {0x0f00, 0x0f03, 4, 4, 0, NULL, NULL},                      /* SGIR */
    {0x0f10, 0x0f2f, 4, 1 | 4, 0, NULL, NULL},                  /* CPENDSGIR, SPENDSGIR */
    {0x6100, 0x7fdf, 8, 4 | 8, VGIC_PRIVATE, read_router, write_router},
    {0xffe8, 0xffeb, 4, 4, 0, read_pidr2, NULL},
    {0x07fc, 0xffff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},         /* reserved, and the implementation's own */
};

/* ---- GICR ---- */

static uint64_t read_redistributor_typer(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return arm_affinity(vcpu) << TYPER_AFFINITY_SHIFT | (uint64_t)vcpu << TYPER_NUMBER_SHIFT |
           (vcpu == g->vcpus - 1 ? TYPER_LAST : 0);
}

static const struct vgic_range gicr[] = {                       /* the first frame: without LPIs, little */
    {0x0000, 0x0003, 4, 4, 0, NULL, NULL},                      /* CTLR */
    {0x0004, 0x0007, 4, 4, 0, read_iidr, NULL},
    {0x0008, 0x000f, 8, 4 | 8, 0, read_redistributor_typer, NULL},
    {0x0010, 0x0017, 4, 4, 0, NULL, NULL},                      /* STATUSR; WAKER, which is the secure side's */
    {0x0040, 0x004f, 8, 4 | 8, 0, NULL, NULL},                  /* SETLPIR, CLRLPIR */
    {0x0070, 0x007f, 8, 4 | 8, 0, NULL, NULL},                  /* PROPBASER, PENDBASER */
    {0x00c0, 0x00c3, 4, 4, 0, NULL, NULL},                      /* SYNCR: not busy */
    {0xffe8, 0xffeb, 4, 4, 0, read_pidr2, NULL},
    {0x0018, 0xffff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},
};

static const struct vgic_range sgis[] = {                       /* the second frame */
    {0x0080, 0x0083, 4, 4, 0, NULL, NULL},                      /* IGROUPR0 */
    {0x0100, 0x0103, 4, 4, 0, vgic_read_enabled, vgic_write_enable},
    {0x0180, 0x0183, 4, 4, 0, vgic_read_enabled, vgic_write_disable},
    {0x0200, 0x0203, 4, 4, 0, vgic_read_pending, vgic_write_pend},
    {0x0280, 0x0283, 4, 4, 0, vgic_read_pending, vgic_write_unpend},
    {0x0300, 0x0303, 4, 4, 0, vgic_read_active, vgic_write_activate},
    {0x0380, 0x0383, 4, 4, 0, vgic_read_active, vgic_write_deactivate},
    {0x0400, 0x041f, 1, 1 | 4, 0, vgic_read_priority, vgic_write_priority},
    {0x0c00, 0x0c07, 4, 4, 0, vgic_read_config, vgic_write_config},
    {0x0d00, 0x0d03, 4, 4, 0, NULL, NULL},                      /* IGRPMODR0 */
    {0x0e00, 0x0e03, 4, 4, 0, NULL, NULL},                      /* NSACR */
    {0x0000, 0xffff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},
};

#define TABLE(t) t, sizeof t / sizeof *t
enum vgic_answer vgic_v3_mmio(struct vgic *g, unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    uint64_t offset = gpa - GUEST_GICV3_GICR0_BASE;
    if (gpa - GUEST_GICV3_GICD_BASE < GUEST_GICV3_GICD_SIZE)
        return vgic_access(TABLE(gicd), g, VGIC_NOBODY, (uint32_t)(gpa - GUEST_GICV3_GICD_BASE), bytes, write, value);
    if (offset >= GUEST_GICV3_GICR0_SIZE)
        return VGIC_ELSEWHERE;
    unsigned whose = (unsigned)(offset / REDISTRIBUTOR);
    uint32_t within = (uint32_t)(offset % REDISTRIBUTOR);
    if (!vgic_cpu_of(g, whose))
        return VGIC_ABORT;
    return within < FRAME ? vgic_access(TABLE(gicr), g, whose, within, bytes, write, value)
                          : vgic_access(TABLE(sgis), g, whose, within - FRAME, bytes, write, value);
}
