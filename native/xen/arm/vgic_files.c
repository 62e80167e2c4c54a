/* vgic_files.c - files of registers: how an access finds its place in one, and those that say what an interrupt is like, which
 * GICD of both versions and GICR's second frame have at the same offsets (IHI 0048B 4.3, IHI 0069 12.8, 12.11).
 *
 * A bit or field of an interrupt that is not there reads as zero and keeps nothing.
 */
#include "vgic_regs.h"

/* ---- accesses ---- */

static uint64_t ones(unsigned bytes) { return bytes < 8 ? (UINT64_C(1) << bytes * 8) - 1 : UINT64_MAX; }

/* An access as wide as a register, or wider: one register after the other. */
static void whole_registers(const struct vgic_range *r, struct vgic *g, unsigned vcpu, uint32_t at, unsigned bytes, bool write,
                            uint64_t *value)
{
    uint64_t answer = 0;
    for (unsigned done = 0; done < bytes; done += r->unit) {
        uint32_t index = r->base + (at + done) / r->unit;
        if (!write)
            answer |= (r->read(g, vcpu, index) & ones(r->unit)) << done * 8;
        else
            r->write(g, vcpu, index, *value >> done * 8 & ones(r->unit));
    }
    if (!write)
        *value = answer;
}

/* An access to a part of a register: what is written is completed by what could be read. */
static void part_of_register(const struct vgic_range *r, struct vgic *g, unsigned vcpu, uint32_t at, unsigned bytes, bool write,
                             uint64_t *value)
{
    uint32_t shift = at % r->unit * 8, index = r->base + at / r->unit;
    uint64_t mask = ones(bytes) << shift, whole = r->read(g, vcpu, index);
    if (write)
        r->write(g, vcpu, index, (whole & ~mask) | (*value << shift & mask));
    else
        *value = (whole & mask) >> shift;
}

enum vgic_answer vgic_access(const struct vgic_range *table, size_t count, struct vgic *g, unsigned vcpu, uint32_t offset,
                             unsigned bytes, bool write, uint64_t *value)
{
    const struct vgic_range *r = table, *end = table + count;
    while (r < end && !(offset >= r->first && offset <= r->last))
        r++;
    if (r == end || !(r->widths & bytes) || offset % bytes)
        return VGIC_ABORT;
    if (write ? !r->write : !r->read)
        *value = write ? *value : 0;
    else
        (bytes >= r->unit ? whole_registers : part_of_register)(r, g, vcpu, offset - r->first, bytes, write, value);
    return VGIC_DONE;
}

/* ---- a bit for each interrupt ---- */

uint64_t vgic_read_enabled(struct vgic *g, unsigned vcpu, uint32_t index)
{
    uint32_t bits;
    const struct vgic_bank *b = vgic_bank(g, vcpu, index, &bits);
    return b ? b->enabled : 0;
}

uint64_t vgic_read_pending(struct vgic *g, unsigned vcpu, uint32_t index)
{
    uint32_t bits;
    const struct vgic_bank *b = vgic_bank(g, vcpu, index, &bits);
    return b ? vgic_pending_bits(b) : 0;
}

uint64_t vgic_read_active(struct vgic *g, unsigned vcpu, uint32_t index)
{
    uint32_t bits;
    const struct vgic_bank *b = vgic_bank(g, vcpu, index, &bits);
    return b ? b->active : 0;
}

/* Set or clear a word of those that `vcpu` may write: `which` is a word of struct vgic_bank. */
static void change(struct vgic *g, unsigned vcpu, uint32_t index, size_t which, uint32_t value, uint32_t fixed, bool set)
{
    uint32_t bits;
    struct vgic_bank *b = vgic_bank(g, vcpu, index, &bits);
    if (!b)
        return;
    uint32_t *word = (uint32_t *)(void *)((char *)b + which);
    value &= bits & ~fixed;
    *word = set ? *word | value : *word & ~value;
    vgic_update_bank(g, vcpu, index);
}

/* A GICv2's SGIs wait one for each source: GICD_SPENDSGIR and CPENDSGIR are their registers. */
static uint32_t counted(const struct vgic *g, uint32_t index) { return index == 0 && g->dist->version == 2 ? VGIC_SGI_BITS : 0; }

#define BITS(field) offsetof(struct vgic_bank, field)
void vgic_write_enable(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change(g, vcpu, index, BITS(enabled), (uint32_t)value, 0, true);
}
void vgic_write_disable(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change(g, vcpu, index, BITS(enabled), (uint32_t)value, 0, false);
}
void vgic_write_pend(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change(g, vcpu, index, BITS(pending), (uint32_t)value, counted(g, index), true);
}
void vgic_write_unpend(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change(g, vcpu, index, BITS(pending), (uint32_t)value, counted(g, index), false);
}
void vgic_write_activate(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change(g, vcpu, index, BITS(active), (uint32_t)value, 0, true);
}
void vgic_write_deactivate(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    change(g, vcpu, index, BITS(active), (uint32_t)value, 0, false);
}

/* ---- a byte for each ---- */

uint64_t vgic_read_priority(struct vgic *g, unsigned vcpu, uint32_t index)
{
    const uint8_t *priority = vgic_priority(g, vcpu, index);
    return priority ? *priority : 0;
}

void vgic_write_priority(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    uint8_t *priority = vgic_priority(g, vcpu, index);
    if (!priority)
        return;
    *priority = (uint8_t)value;
    vgic_update_bank(g, vcpu, index / 32);
}

/* ---- two bits for each: the upper says edge ---- */

uint64_t vgic_read_config(struct vgic *g, unsigned vcpu, uint32_t index)
{
    uint32_t bits, value = 0;
    const struct vgic_bank *b = vgic_bank(g, vcpu, index / 2, &bits);
    for (unsigned i = 0; b && i < 16; i++)
        value |= (b->edge >> (index % 2 * 16 + i) & 1) << (2 * i + 1);
    return value;
}

void vgic_write_config(struct vgic *g, unsigned vcpu, uint32_t index, uint64_t value)
{
    uint32_t bits, edge = 0;
    struct vgic_bank *b = vgic_bank(g, vcpu, index / 2, &bits);
    if (!b || index == 0 || (index == 1 && g->dist->version == 2))   /* SGIs are what they are; PPIs of a GICv2 as Xen has them */
        return;
    for (unsigned i = 0; i < 16; i++)
        edge |= (uint32_t)(value >> (2 * i + 1) & 1) << i;
    uint32_t half = 0xffffu << index % 2 * 16;
    b->edge = (b->edge & ~half) | (edge << index % 2 * 16 & half & bits);
    vgic_update_bank(g, vcpu, index / 2);
}

uint32_t vgic_typer(const struct vgic *g)
{
    unsigned processors = g->vcpus < VGIC_V2_VCPUS ? g->vcpus : VGIC_V2_VCPUS;
    return (processors - 1) << 5 | (g->dist->spis + 31) / 32;
}
