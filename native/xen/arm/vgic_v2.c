/* vgic_v2.c - GICv2: the distributor (GICD) and the processor interface (GICC) in guest-physical memory.
 *
 * All interrupts are in group 0, as on Xen: GICD_IGROUPR reads as zero, the registers of group 1 (GICC_AIAR and the like) find
 * nothing, and GICC_CTLR.FIQEn sends everything as FIQ. What neither IHI 0048B nor Xen lists aborts; what IHI 0048B
 * reserves reads as zero. Offsets: IHI 0048B tables 4-1 and 4-2.
 */
#include "vgic_regs.h"
#include "abi/arch/arm.h"

enum { IIDR_ARM = 0x43b, GICC_IIDR_ARM = 0x0202143b, PIDR2_V2 = 0x2b };
enum { GICC_CTLR_BITS = VGIC_GROUP0 | VGIC_GROUP1 | VGIC_ACKCTL | VGIC_FIQEN | VGIC_CBPR | VGIC_EOIMODE };
enum { ID_MASK = 0x3ff };
enum { SGI_LISTED = 0, SGI_OTHERS = 1, SGI_SELF = 2 };

/* ---- GICD ---- */

static uint64_t read_ctlr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return g->dist->enable;
}
static void write_ctlr(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    g->dist->enable = value & 1;
    vgic_update_all(g);
}
static uint64_t read_typer(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return vgic_typer(g);
}
static uint64_t read_iidr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return IIDR_ARM;
}
static uint64_t read_pidr2(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return PIDR2_V2;
}

/* The processors that an interrupt goes to: one, as on Xen (the 1-N model lets an implementation choose). */
static uint64_t read_target(struct vgic *g, unsigned vcpu, uint32_t index)
{
    if (index < VGIC_PRIVATE)
        return UINT64_C(1) << vcpu;
    return index - VGIC_PRIVATE < g->dist->spis ? UINT64_C(1) << g->dist->target[index - VGIC_PRIVATE] : 0;
}
static void write_target(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    if (index < VGIC_PRIVATE || index - VGIC_PRIVATE >= g->dist->spis || value == 0)
        return;
    unsigned target = (unsigned)__builtin_ctzll(value);
    if (!vgic_cpu_of(g, target))
        return;
    g->dist->target[index - VGIC_PRIVATE] = (uint8_t)target;
    vgic_update_all(g);
}

static void write_sgir(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    unsigned sgi = value & 0xf, filter = value >> 24 & 3, listed = value >> 16 & 0xff;
    for (unsigned to = 0; to < g->vcpus; to++)
        if (filter == SGI_LISTED ? listed >> to & 1 : filter == SGI_OTHERS ? to != vcpu : filter == SGI_SELF && to == vcpu)
            vgic_send(g, vcpu, to, sgi);
}
static uint64_t read_pendsgi(struct vgic *g, unsigned vcpu, uint32_t index) { return vgic_cpu_of(g, vcpu)->sgi_from[index]; }
static void change_pendsgi(struct vgic *g, unsigned vcpu, uint32_t sgi, uint64_t from)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    c->sgi_from[sgi] = (uint8_t)(from & ((1u << g->vcpus) - 1));
    vgic_sgi_pending(c, sgi);
    vgic_update(g, vcpu);
}
static void write_spendsgi(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change_pendsgi(g, vcpu, index, read_pendsgi(g, vcpu, index) | value);
}
static void write_cpendsgi(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change_pendsgi(g, vcpu, index, read_pendsgi(g, vcpu, index) & ~value);
}

static const struct vgic_range gicd[] = {
    {0x000, 0x003, 4, 4, 0, read_ctlr, write_ctlr},
    {0x004, 0x007, 4, 4, 0, read_typer, NULL},
    {0x008, 0x00b, 4, 4, 0, read_iidr, NULL},
    {0x00c, 0x07f, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},       /* reserved, and the implementation's own */
    {0x080, 0x0ff, 4, 4, 0, NULL, NULL},                    /* IGROUPR */
    {0x100, 0x17f, 4, 4, 0, vgic_read_enabled, vgic_write_enable},
    {0x180, 0x1ff, 4, 4, 0, vgic_read_enabled, vgic_write_disable},
    {0x200, 0x27f, 4, 4, 0, vgic_read_pending, vgic_write_pend},
    {0x280, 0x2ff, 4, 4, 0, vgic_read_pending, vgic_write_unpend},
    {0x300, 0x37f, 4, 4, 0, vgic_read_active, vgic_write_activate},
    {0x380, 0x3ff, 4, 4, 0, vgic_read_active, vgic_write_deactivate},
    {0x400, 0x7fb, 1, 1 | 4, 0, vgic_read_priority, vgic_write_priority},
    {0x7fc, 0x7ff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},
    {0x800, 0xbfb, 1, 1 | 4, 0, read_target, write_target},
    {0xbfc, 0xbff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},
    {0xc00, 0xcff, 4, 4, 0, vgic_read_config, vgic_write_config},
    {0xd00, 0xdff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},       /* the implementation's own */
    {0xe00, 0xeff, 4, 4, 0, NULL, NULL},                    /* NSACR */
    {0xf00, 0xf03, 4, 4, 0, NULL, write_sgir},
    {0xf04, 0xf0f, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},
    {0xf10, 0xf1f, 1, 1 | 4, 0, read_pendsgi, write_cpendsgi},
    {0xf20, 0xf2f, 1, 1 | 4, 0, read_pendsgi, write_spendsgi},
    {0xf30, 0xfe7, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},       /* reserved; identification of the implementation's own */
    {0xfe8, 0xfeb, 4, 4, 0, read_pidr2, NULL},
    {0xfec, 0xfff, 4, VGIC_ANY_WIDTH, 0, NULL, NULL},
};

/* ---- GICC ---- */

static uint64_t read_cpu_ctlr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return vgic_cpu_of(g, vcpu)->ctlr;
}
static void write_cpu_ctlr(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    vgic_cpu_of(g, vcpu)->ctlr = value & GICC_CTLR_BITS;
    vgic_update(g, vcpu);
}
static uint64_t read_pmr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return vgic_cpu_of(g, vcpu)->pmr;
}
static void write_pmr(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    vgic_cpu_of(g, vcpu)->pmr = value & VGIC_PRIORITY_MASK;
    vgic_update(g, vcpu);
}
static uint64_t read_rpr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return vgic_running(vgic_cpu_of(g, vcpu));
}
static uint64_t read_apr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return index == 0 ? vgic_cpu_of(g, vcpu)->apr[0] : 0;
}
static void write_apr(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    if (index == 0)
        vgic_cpu_of(g, vcpu)->apr[0] = (uint32_t)value;
    vgic_update(g, vcpu);
}
static uint64_t read_cpu_iidr(struct vgic *g, unsigned vcpu, uint32_t index)
{
    return GICC_IIDR_ARM;
}
static void write_dir(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    vgic_deactivate(g, vcpu, value & ID_MASK);
}

/* Those that each group has: index is the group. */
static uint64_t read_bpr(struct vgic *g, unsigned vcpu, uint32_t index) { return vgic_get_bpr(vgic_cpu_of(g, vcpu), index); }
static void write_bpr(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    vgic_set_bpr(g, vcpu, index, (uint32_t)value);
}
static uint64_t read_iar(struct vgic *g, unsigned vcpu, uint32_t index) { return vgic_acknowledge(g, vcpu, index); }
static void write_eoir(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    vgic_end(g, vcpu, index, value & ID_MASK);
}
static uint64_t read_hppir(struct vgic *g, unsigned vcpu, uint32_t index) { return vgic_highest_pending(g, vcpu, index); }

static const struct vgic_range gicc[] = {
    {0x0000, 0x0003, 4, 4, 0, read_cpu_ctlr, write_cpu_ctlr},
    {0x0004, 0x0007, 4, 4, 0, read_pmr, write_pmr},
    {0x0008, 0x000b, 4, 4, 0, read_bpr, write_bpr},
    {0x000c, 0x000f, 4, 4, 0, read_iar, NULL},
    {0x0010, 0x0013, 4, 4, 0, NULL, write_eoir},
    {0x0014, 0x0017, 4, 4, 0, read_rpr, NULL},
    {0x0018, 0x001b, 4, 4, 0, read_hppir, NULL},
    {0x001c, 0x001f, 4, 4, 1, read_bpr, write_bpr},       /* ABPR, and on */
    {0x0020, 0x0023, 4, 4, 1, read_iar, NULL},
    {0x0024, 0x0027, 4, 4, 1, NULL, write_eoir},
    {0x0028, 0x002b, 4, 4, 1, read_hppir, NULL},
    {0x00d0, 0x00df, 4, 4, 0, read_apr, write_apr},
    {0x00fc, 0x00ff, 4, 4, 0, read_cpu_iidr, NULL},
    {0x1000, 0x1003, 4, 4, 0, NULL, write_dir},
    {0x0000, 0x1fff, 4, 4, 0, NULL, NULL},                  /* all else */
};

enum vgic_answer vgic_v2_mmio(struct vgic *g, unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    if (gpa - GUEST_GICC_BASE < GUEST_GICC_SIZE)
        return vgic_access(gicc, sizeof gicc / sizeof *gicc, g, vcpu, (uint32_t)(gpa - GUEST_GICC_BASE), bytes, write, value);
    if (gpa - GUEST_GICD_BASE < GUEST_GICD_SIZE)
        return vgic_access(gicd, sizeof gicd / sizeof *gicd, g, vcpu, (uint32_t)(gpa - GUEST_GICD_BASE), bytes, write, value);
    return VGIC_ELSEWHERE;
}
