/* vgic_cpu.c - the processor interface: which interrupt is let through, taken, served and over.
 *
 * Its state is that of the virtual interface that hardware gives a guest of Xen (GICV_*, ICV_*): 5 bits of priority, so 32
 * levels that can be active. Facts: IHI 0048B 3.3 (priorities, preemption, binary points) and 4.4; IHI 0069 4.8.
 */
#include "vgic_regs.h"

enum { SOURCE_SHIFT = 10 };

/* ---- priorities ---- */

unsigned vgic_running(const struct vgic_cpu *c)
{
    uint32_t levels = c->apr[0] | c->apr[1];
    return levels ? (unsigned)__builtin_ctz(levels) << VGIC_PRIORITY_SHIFT : VGIC_IDLE;
}

uint8_t vgic_group_mask(const struct vgic_cpu *c, unsigned group)
{
    /* A binary point of group 0 names the highest bit that does not count; one of group 1 the lowest that does. */
    bool own = group == 1 && !(c->ctlr & VGIC_CBPR);
    return (uint8_t)(0xff << (own ? c->bpr[1] : c->bpr[0] + 1));
}

uint8_t vgic_get_bpr(const struct vgic_cpu *c, unsigned group)
{
    if (group == 0 || !(c->ctlr & VGIC_CBPR))
        return c->bpr[group];
    return c->bpr[0] < VGIC_BPR_MOST ? (uint8_t)(c->bpr[0] + 1) : VGIC_BPR_MOST;
}

void vgic_set_bpr(struct vgic *g, unsigned vcpu, unsigned group, uint32_t value)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    uint8_t least = group == 0 ? VGIC_BPR0_LEAST : VGIC_BPR1_LEAST, wanted = value & VGIC_BPR_MOST;
    if (group == 1 && c->ctlr & VGIC_CBPR)
        return;
    c->bpr[group] = wanted > least ? wanted : least;
    vgic_update(g, vcpu);
}

/* ---- one interrupt ---- */

/* Taken: it is active, and what made it pending is used up (a level that still stands makes it pending again). */
static uint32_t activate(struct vgic *g, unsigned vcpu, unsigned intid)
{
    uint32_t bits, bit = 1u << intid % 32;
    struct vgic_bank *b = vgic_bank(g, vcpu, intid / 32, &bits);
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    b->active |= bit;
    if (g->dist->version == 3 || intid >= VGIC_SGIS) {
        b->pending &= ~bit;
        return intid;
    }
    unsigned from = (unsigned)__builtin_ctz(c->sgi_from[intid]);
    c->sgi_from[intid] &= (uint8_t)~(1u << from);
    vgic_sgi_pending(c, intid);
    return intid | from << SOURCE_SHIFT;
}

static void over(struct vgic *g, unsigned vcpu, unsigned intid)
{
    uint32_t bits, bit = 1u << intid % 32;
    struct vgic_bank *b = vgic_bank(g, vcpu, intid / 32, &bits);
    if (b && b->active & bit) {
        b->active &= ~bit;
        vgic_update(g, intid < VGIC_PRIVATE ? vcpu : g->dist->target[intid - VGIC_PRIVATE]);
    }
}

static void drop_priority(struct vgic_cpu *c, unsigned group)
{
    uint32_t levels = c->apr[0] | c->apr[1], lowest = levels & -levels;
    if (c->apr[group] & lowest)
        c->apr[group] &= ~lowest;
}

/* ---- registers that do something ---- */

uint32_t vgic_acknowledge(struct vgic *g, unsigned vcpu, unsigned group)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    uint8_t priority;
    if (group != vgic_group(g) || !c->lines_out)
        return VGIC_SPURIOUS;
    unsigned intid = vgic_best(g, vcpu, &priority);
    c->apr[group] |= 1u << ((priority & vgic_group_mask(c, group)) >> VGIC_PRIORITY_SHIFT);
    uint32_t value = activate(g, vcpu, intid);
    vgic_update(g, vcpu);
    return value;
}

void vgic_end(struct vgic *g, unsigned vcpu, unsigned group, unsigned intid)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    if (intid >= VGIC_SPECIAL)
        return;
    drop_priority(c, group);
    if (!(c->ctlr & VGIC_EOIMODE) && group == vgic_group(g))
        over(g, vcpu, intid);
    vgic_update(g, vcpu);
}

void vgic_deactivate(struct vgic *g, unsigned vcpu, unsigned intid)
{
    if (vgic_cpu_of(g, vcpu)->ctlr & VGIC_EOIMODE)
        over(g, vcpu, intid);
}

uint32_t vgic_highest_pending(const struct vgic *g, unsigned vcpu, unsigned group)
{
    const struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    uint8_t priority;
    if (group != vgic_group(g) || !(c->ctlr & (VGIC_GROUP0 << group)))
        return VGIC_SPURIOUS;
    unsigned intid = vgic_best(g, vcpu, &priority);
    if (g->dist->version == 3 || intid >= VGIC_SGIS)
        return intid;
    return intid | (unsigned)__builtin_ctz(c->sgi_from[intid]) << SOURCE_SHIFT;
}
