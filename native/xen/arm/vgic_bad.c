/* vgic_bad.c - could the interrupt controller have come to this state? Asked of state that comes from a file. */
#include <string.h>
#include "vgic_regs.h"

enum { V2_CTLR = VGIC_GROUP0 | VGIC_GROUP1 | VGIC_ACKCTL | VGIC_FIQEN | VGIC_CBPR | VGIC_EOIMODE };
enum { V3_CTLR = VGIC_GROUP0 | VGIC_GROUP1 | VGIC_CBPR | VGIC_EOIMODE };

static uint32_t used(const struct vgic_bank *b) { return b->enabled | b->active | b->pending | b->lines | b->edge; }

static const char *bad_distributor(const struct vgic *g)
{
    const struct vgic_dist *d = g->dist;
    if ((d->version != 2 && d->version != 3) || (d->version == 2 && g->vcpus > VGIC_V2_VCPUS))
        return "GIC version";
    if (d->spis > VGIC_SPIS || (d->spis % 32 != 0 && d->spis != VGIC_SPIS))
        return "number of SPIs";
    if (d->enable > 1)
        return "GICD_CTLR";
    for (unsigned n = 1; n <= VGIC_SPI_BANKS; n++) {
        uint32_t bits;
        const struct vgic_bank *b = vgic_bank(g, VGIC_NOBODY, n, &bits);
        if (used(&d->spi[n - 1]) & ~(b ? bits : 0))
            return "an SPI that is not there";
    }
    for (unsigned i = 0; i < VGIC_SPIS; i++)
        if (i < d->spis ? !vgic_cpu_of(g, d->target[i]) && d->target[i] != 0 : d->target[i] || d->priority[i])
            return "where an SPI goes";
    return NULL;
}

static bool sgis_ok(const struct vgic *g, const struct vgic_cpu *c)
{
    for (unsigned sgi = 0; sgi < VGIC_SGIS; sgi++) {
        bool waits = c->own.pending >> sgi & 1;
        if (g->dist->version == 2 ? waits != (c->sgi_from[sgi] != 0) || c->sgi_from[sgi] >> g->vcpus : c->sgi_from[sgi] != 0)
            return false;
    }
    return true;
}

static const char *bad_cpu(const struct vgic *g, unsigned vcpu)
{
    const struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    bool v2 = g->dist->version == 2;
    if (!sgis_ok(g, c) || c->own.lines & VGIC_SGI_BITS)
        return "an SGI";
    if (v2 ? c->own.edge != VGIC_SGI_BITS : (c->own.edge & VGIC_SGI_BITS) != VGIC_SGI_BITS)
        return "ICFGR0 or ICFGR1";
    if (c->ctlr & ~(uint32_t)(v2 ? V2_CTLR : V3_CTLR) || c->pmr & ~VGIC_PRIORITY_MASK)
        return "the processor interface's control or mask";
    if (c->bpr[0] < VGIC_BPR0_LEAST || c->bpr[0] > VGIC_BPR_MOST || c->bpr[1] < VGIC_BPR1_LEAST || c->bpr[1] > VGIC_BPR_MOST)
        return "a binary point";
    if (v2 && c->apr[1])
        return "active priorities of group 1";
    return c->pad || c->lines_out != vgic_computed_lines(g, vcpu) ? "the processor's interrupt inputs" : NULL;
}

/* There is no controller yet: nothing has happened to it. */
static bool untouched(const struct vgic *g)
{
    static const struct vgic_dist no_dist;
    static const struct vgic_cpu no_cpu;
    for (unsigned vcpu = 0; vcpu < g->vcpus; vcpu++)
        if (vgic_cpu_of(g, vcpu) && memcmp(vgic_cpu_of(g, vcpu), &no_cpu, sizeof no_cpu) != 0)
            return false;
    return memcmp(g->dist, &no_dist, sizeof no_dist) == 0;
}

const char *vgic_bad(struct vgic *g)
{
    if (!vgic_there(g))
        return untouched(g) ? NULL : "state without an interrupt controller";
    const char *bad = bad_distributor(g);
    for (unsigned vcpu = 0; !bad && vcpu < g->vcpus; vcpu++)
        bad = vgic_cpu_of(g, vcpu) ? bad_cpu(g, vcpu) : NULL;
    return bad;
}
