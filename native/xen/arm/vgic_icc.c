/* vgic_icc.c - GICv3's processor interface as system registers (IHI 0069 12.2), each as a guest's virtual interface has it.
 *
 * Group 0 has its registers, but no interrupt is in it; SGIs of group 0, or of the other security state, cannot be made: that is
 * undefined, as on Xen. With 5 bits of priority only the first of each four active-priority registers exists.
 */
#include "vgic_regs.h"

enum { CTLR_CBPR = 1, CTLR_EOIMODE = 2, CTLR_PRIORITY_BITS = 4 << 8 };    /* ICC_CTLR_EL1.PRIbits: one less than 5 */
enum { SRE_FIXED = 7, ID_MASK = 0xffffff };
enum { SGI_ID_SHIFT = 24, SGI_AFF1_SHIFT = 16, SGI_AFF2_SHIFT = 32, SGI_AFF3_SHIFT = 48 };
#define SGI_OTHERS (UINT64_C(1) << 40)

static uint64_t read_pmr(struct vgic *g, unsigned vcpu, unsigned group) { return vgic_cpu_of(g, vcpu)->pmr; }
static void write_pmr(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    vgic_cpu_of(g, vcpu)->pmr = value & VGIC_PRIORITY_MASK;
    vgic_update(g, vcpu);
}
static uint64_t read_iar(struct vgic *g, unsigned vcpu, unsigned group) { return vgic_acknowledge(g, vcpu, group); }
static uint64_t read_hppir(struct vgic *g, unsigned vcpu, unsigned group) { return vgic_highest_pending(g, vcpu, group); }
static uint64_t read_rpr(struct vgic *g, unsigned vcpu, unsigned group) { return vgic_running(vgic_cpu_of(g, vcpu)); }
static void write_eoir(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    vgic_end(g, vcpu, group, value & ID_MASK);
}
static void write_dir(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value) { vgic_deactivate(g, vcpu, value & ID_MASK); }
static uint64_t read_bpr(struct vgic *g, unsigned vcpu, unsigned group) { return vgic_get_bpr(vgic_cpu_of(g, vcpu), group); }
static void write_bpr(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    vgic_set_bpr(g, vcpu, group, (uint32_t)value);
}
static uint64_t read_apr(struct vgic *g, unsigned vcpu, unsigned group) { return vgic_cpu_of(g, vcpu)->apr[group]; }
static void write_apr(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    vgic_cpu_of(g, vcpu)->apr[group] = (uint32_t)value;
    vgic_update(g, vcpu);
}

static uint64_t read_ctlr(struct vgic *g, unsigned vcpu, unsigned group)
{
    uint32_t ctlr = vgic_cpu_of(g, vcpu)->ctlr;
    return CTLR_PRIORITY_BITS | (ctlr & VGIC_CBPR ? CTLR_CBPR : 0) | (ctlr & VGIC_EOIMODE ? CTLR_EOIMODE : 0);
}
static void write_ctlr(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    c->ctlr = (c->ctlr & ~(uint32_t)(VGIC_CBPR | VGIC_EOIMODE)) | (value & CTLR_CBPR ? VGIC_CBPR : 0) |
              (value & CTLR_EOIMODE ? VGIC_EOIMODE : 0);
    vgic_update(g, vcpu);
}
static uint64_t read_enable(struct vgic *g, unsigned vcpu, unsigned group)
{
    return (vgic_cpu_of(g, vcpu)->ctlr & VGIC_GROUP0 << group) != 0;
}
static void write_enable(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    struct vgic_cpu *c = vgic_cpu_of(g, vcpu);
    uint32_t bit = VGIC_GROUP0 << group;
    c->ctlr = value & 1 ? c->ctlr | bit : c->ctlr & ~bit;
    vgic_update(g, vcpu);
}

static uint64_t read_sre(struct vgic *g, unsigned vcpu, unsigned group) { return SRE_FIXED; }
static void write_sre(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value) {}

static void write_sgi1r(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    unsigned sgi = value >> SGI_ID_SHIFT & 0xf;
    uint64_t aff1 = value >> SGI_AFF1_SHIFT & 0xff, beyond = (value >> SGI_AFF2_SHIFT & 0xff) | (value >> SGI_AFF3_SHIFT & 0xff);
    for (unsigned to = 0; to < g->vcpus; to++) {
        bool listed = beyond == 0 && to / VGIC_CLUSTER == aff1 && value >> to % VGIC_CLUSTER & 1;
        if (value & SGI_OTHERS ? to != vcpu : listed)
            vgic_send(g, vcpu, to, sgi);
    }
}

/* A register, or one of a pair that differ by their group. No handler: undefined. */
static const struct icc_register {
    uint32_t number;
    unsigned group;
    uint64_t (*read)(struct vgic *g, unsigned vcpu, unsigned group);
    void (*write)(struct vgic *g, unsigned vcpu, unsigned group, uint64_t value);
} registers[] = {
    {ARM_SYSREG(3, 0, 12, 12, 0), 1, read_iar, NULL},           /* ICC_IAR1_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 1), 1, NULL, write_eoir},         /* ICC_EOIR1_EL1 */
    {ARM_SYSREG(3, 0, 4, 6, 0), 0, read_pmr, write_pmr},        /* ICC_PMR_EL1 */
    {ARM_SYSREG(3, 0, 12, 11, 5), 1, NULL, write_sgi1r},        /* ICC_SGI1R_EL1 */
    {ARM_SYSREG(3, 0, 12, 11, 1), 0, NULL, write_dir},          /* ICC_DIR_EL1 */
    {ARM_SYSREG(3, 0, 12, 11, 3), 0, read_rpr, NULL},           /* ICC_RPR_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 2), 1, read_hppir, NULL},         /* ICC_HPPIR1_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 3), 1, read_bpr, write_bpr},      /* ICC_BPR1_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 4), 0, read_ctlr, write_ctlr},    /* ICC_CTLR_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 5), 0, read_sre, write_sre},      /* ICC_SRE_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 6), 0, read_enable, write_enable},/* ICC_IGRPEN0_EL1 */
    {ARM_SYSREG(3, 0, 12, 12, 7), 1, read_enable, write_enable},/* ICC_IGRPEN1_EL1 */
    {ARM_SYSREG(3, 0, 12, 9, 0), 1, read_apr, write_apr},       /* ICC_AP1R0_EL1 */
    {ARM_SYSREG(3, 0, 12, 8, 0), 0, read_iar, NULL},            /* ICC_IAR0_EL1 */
    {ARM_SYSREG(3, 0, 12, 8, 1), 0, NULL, write_eoir},          /* ICC_EOIR0_EL1 */
    {ARM_SYSREG(3, 0, 12, 8, 2), 0, read_hppir, NULL},          /* ICC_HPPIR0_EL1 */
    {ARM_SYSREG(3, 0, 12, 8, 3), 0, read_bpr, write_bpr},       /* ICC_BPR0_EL1 */
    {ARM_SYSREG(3, 0, 12, 8, 4), 0, read_apr, write_apr},       /* ICC_AP0R0_EL1 */
};

/* Every number that the architecture keeps for the interface, whether a register of it is there or not. */
static bool belongs(uint32_t reg)
{
    uint32_t first = ARM_SYSREG(3, 0, 12, 8, 0), last = ARM_SYSREG(3, 0, 12, 12, 7);
    return (reg >= first && reg <= last) || reg == ARM_SYSREG(3, 0, 4, 6, 0);
}

enum vgic_answer vgic_sysreg(struct vgic *g, unsigned vcpu, uint32_t reg, bool write, uint64_t *value)
{
    if (!belongs(reg) || !vgic_there(g) || !vgic_cpu_of(g, vcpu))
        return VGIC_ELSEWHERE;
    if (g->dist->version == 2) {                                /* ICC_SRE_EL1 alone, which says that there is nothing else */
        *value = write ? *value : 0;
        return reg == ARM_SYSREG(3, 0, 12, 12, 5) ? VGIC_DONE : VGIC_ABORT;
    }
    for (const struct icc_register *r = registers; r < registers + sizeof registers / sizeof *registers; r++) {
        if (r->number != reg)
            continue;
        if (write ? !r->write : !r->read)
            return VGIC_ABORT;
        if (write)
            r->write(g, vcpu, r->group, *value);
        else
            *value = r->read(g, vcpu, r->group);
        return VGIC_DONE;
    }
    return VGIC_ABORT;
}
