/* vgic.c - the life of an interrupt: made, pending, sent to a processor, and what of it a processor's input shows.
 *
 * An interrupt is pending if its latch is set or, level-sensitive, while its input stands. Of those that are enabled, not
 * active and for this vcpu the one of the highest priority counts (the lowest number among equals); vgic_cpu.c says whether
 * it is let through. The answer is kept (lines_out), so that asking for it costs a load. Facts: IHI 0048B 3.2, IHI 0069 4.
 */
#include <string.h>
#include "vgic_regs.h"

struct vgic_cpu *vgic_cpu_of(const struct vgic *g, unsigned vcpu)
{
    return vcpu < g->vcpus && g->slot[vcpu] != VGIC_NO_SLOT ? &g->all[g->slot[vcpu]].gic : NULL;
}

bool vgic_there(const struct vgic *g) { return g->dist->version != 0; }

unsigned vgic_group(const struct vgic *g) { return g->dist->version == 3; }

struct vgic_bank *vgic_bank(const struct vgic *g, unsigned vcpu, unsigned n, uint32_t *bits)
{
    *bits = UINT32_MAX;
    if (n == 0) {
        struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
        return c ? &c->own : NULL;
    }
    unsigned first = (n - 1) * 32;
    if (n > VGIC_SPI_BANKS || first >= g->dist->spis)
        return NULL;
    if (g->dist->spis - first < 32)
        *bits = (1u << (g->dist->spis - first)) - 1;
    return &g->dist->spi[n - 1];
}

uint8_t *vgic_priority(const struct vgic *g, unsigned vcpu, unsigned intid)
{
    if (intid < VGIC_PRIVATE) {
        struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
        return c ? &c->priority[intid] : NULL;
    }
    return intid - VGIC_PRIVATE < g->dist->spis ? &g->dist->priority[intid - VGIC_PRIVATE] : NULL;
}

uint32_t vgic_pending_bits(const struct vgic_bank *b) { return b->pending | (b->lines & ~b->edge); }

/* ---- what a processor sees ---- */

unsigned vgic_best(const struct vgic *g, unsigned vcpu, uint8_t *priority)
{
    unsigned found = VGIC_SPURIOUS, least = 0x100;
    uint32_t bits;
    for (unsigned n = 0; g->dist->enable && n <= VGIC_SPI_BANKS; n++) {
        const struct vgic_bank *b = vgic_bank(g, vcpu, n, &bits);
        if (!b)
            break;
        for (bits = vgic_pending_bits(b) & b->enabled & ~b->active; bits; bits &= bits - 1) {
            unsigned intid = n * 32 + (unsigned)__builtin_ctz(bits);
            unsigned p = *vgic_priority(g, vcpu, intid) & VGIC_PRIORITY_MASK;
            if (p < least && (n == 0 || g->dist->target[intid - VGIC_PRIVATE] == vcpu)) {
                least = p;
                found = intid;
            }
        }
    }
    *priority = (uint8_t)least;
    return found;
}

unsigned vgic_computed_lines(const struct vgic *g, unsigned vcpu)
{
    const struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    unsigned group = vgic_group(g);
    uint8_t priority;
    if (!(c->ctlr & (VGIC_GROUP0 << group)) || vgic_best(g, vcpu, &priority) == VGIC_SPURIOUS || priority >= c->pmr ||
        (priority & vgic_group_mask(c, group)) >= vgic_running(c))
        return 0;
    return group == 0 && c->ctlr & VGIC_FIQEN ? VGIC_FIQ : VGIC_IRQ;
}

void vgic_update(struct vgic *g, unsigned vcpu)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    unsigned lines = c ? vgic_computed_lines(g, vcpu) : 0;
    if (c && lines != c->lines_out) {
        c->lines_out = (uint8_t)lines;
        g->changed |= UINT64_C(1) << vcpu;
    }
}

void vgic_update_all(struct vgic *g)
{
    for (unsigned vcpu = 0; vcpu < g->vcpus; vcpu++)
        vgic_update(g, vcpu);
}

void vgic_update_bank(struct vgic *g, unsigned vcpu, unsigned n)
{
    if (n == 0)
        vgic_update(g, vcpu);
    else
        vgic_update_all(g);
}

unsigned vgic_lines(const struct vgic *g, unsigned vcpu)
{
    const struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    return c ? c->lines_out : 0;
}

/* ---- interrupts that come ---- */

void vgic_set_line(struct vgic *g, unsigned vcpu, unsigned intid, bool level)
{
    uint32_t bits, bit = 1u << intid % 32;
    struct vgic_bank *b = intid >= VGIC_SGIS ? vgic_bank(g, vcpu, intid / 32, &bits) : NULL;
    if (!vgic_there(g) || !b || !(bits & bit) || !(b->lines & bit) == !level)
        return;
    if (level && b->edge & bit)
        b->pending |= bit;
    b->lines = level ? b->lines | bit : b->lines & ~bit;
    vgic_update(g, intid < VGIC_PRIVATE ? vcpu : g->dist->target[intid - VGIC_PRIVATE]);
}

void vgic_sgi_pending(struct vgic_cpu *c, unsigned sgi)
{
    uint32_t bit = 1u << sgi;
    c->own.pending = c->sgi_from[sgi] ? c->own.pending | bit : c->own.pending & ~bit;
}

void vgic_send(struct vgic *g, unsigned from, unsigned to, unsigned sgi)
{
    struct vgic_cpu *c = vgic_cpu_of(g, to);
    if (!c)
        return;
    if (g->dist->version == 2) {
        c->sgi_from[sgi] |= (uint8_t)(1u << from);
        vgic_sgi_pending(c, sgi);
    } else {
        c->own.pending |= 1u << sgi;
    }
    vgic_update(g, to);
}

/* ---- affinity ---- */

uint64_t arm_affinity(unsigned vcpu) { return vcpu % VGIC_CLUSTER | vcpu / VGIC_CLUSTER << 8; }

unsigned arm_affinity_vcpu(uint64_t mpidr)
{
    uint64_t fields = mpidr & UINT64_C(0xff00ffffff);
    if ((fields & 0xff) >= VGIC_CLUSTER || fields >> 16)
        return ~0u;
    return (unsigned)(fields & 0xff) + (unsigned)(fields >> 8) * VGIC_CLUSTER;
}

/* ---- reset ---- */

bool vgic_init(struct vgic *g, unsigned version, unsigned spis)
{
    if ((version != 2 && version != 3) || spis > VGIC_SPIS || (version == 2 && g->vcpus > VGIC_V2_VCPUS))
        return false;
    memset(g->dist, 0, sizeof *g->dist);
    spis = (spis + 31) / 32 * 32;
    g->dist->version = version;
    g->dist->spis = spis < VGIC_SPIS ? spis : VGIC_SPIS;
    for (unsigned vcpu = 0; vcpu < g->vcpus; vcpu++)
        vgic_init_vcpu(g, vcpu);
    return true;
}

void vgic_init_vcpu(struct vgic *g, unsigned vcpu)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    if (!c || !vgic_there(g))
        return;
    uint32_t lines = c->own.lines;
    uint8_t before = c->lines_out;
    memset(c, 0, sizeof *c);
    c->own.lines = lines;
    c->own.edge = c->own.enabled = VGIC_SGI_BITS;
    c->bpr[0] = VGIC_BPR0_LEAST;
    c->bpr[1] = VGIC_BPR1_LEAST;
    if (before)
        g->changed |= UINT64_C(1) << vcpu;
}

/* ---- accesses ---- */

enum vgic_answer vgic_mmio(struct vgic *g, unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    if (!vgic_there(g) || !vgic_cpu_of(g, vcpu))
        return VGIC_ELSEWHERE;
    return (g->dist->version == 3 ? vgic_v3_mmio : vgic_v2_mmio)(g, vcpu, gpa, bytes, write, value);
}
