/* fuzz.c - random accesses to the interrupt controller, the timer and PSCI, under the sanitizers: fuzz SEED COUNT.
 *
 * After each one the state must be one that validation lets in, and `changed` must name every vcpu whose inputs moved. The
 * last line is a digest of everything that was read and of the state: the same seed gives the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xen/arm/psci.h"
#include "xen/arm/vgic.h"
#include "xen/arm/vtimer.h"

enum { VCPUS = 20, SLOTS = 32 };
static uint64_t state;
static uint64_t digest = 0xcbf29ce484222325;

static uint64_t next(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}
static uint64_t below(uint64_t n) { return next() % n; }
/* Numbers that hit something: few bits, small ones, and any. */
static uint64_t number(void)
{
    switch (below(4)) {
    case 0: return below(64);
    case 1: return UINT64_C(1) << below(64);
    case 2: return next() & next() & next();
    default: return next();
    }
}
static void mix(uint64_t value) { digest = (digest ^ value) * 0x100000001b3; }
static void fail(const char *what, uint64_t number)
{
    fprintf(stderr, "fuzz: %s after access %" PRIu64 "\n", what, number);
    exit(1);
}

static uint64_t address(unsigned version)
{
    static const uint64_t bases[2][4] = {{0x03001000, 0x03001000, 0x03002000, 0x03003000}, {0x03001000, 0x03007000, 0x03020000, 0x03030000}};
    uint64_t base = bases[version - 2][below(4)];
    if (version == 3 && base >= 0x03020000)
        base += below(VCPUS + 1) * 0x20000;
    switch (below(8)) {
    case 0: return next() >> below(64);
    case 1: return base + below(0x10000);
    default: return base + below(0x1000) / 4 * 4;
    }
}

static uint32_t sysreg(void)
{
    if (below(8) == 0)
        return (uint32_t)number();
    return below(4) ? ARM_SYSREG(3, 0, 12, (uint32_t)(8 + below(5)), (uint32_t)below(8)) : ARM_SYSREG(3, 0, 4, 6, 0);
}

static void access(struct vgic *g, unsigned version)
{
    unsigned vcpu = (unsigned)(below(30) ? below(g->vcpus) : number());
    uint64_t value = number();
    bool write = next() & 1;
    switch (below(4)) {
    case 0:
        vgic_set_line(g, vcpu, (unsigned)(below(8) ? below(96) : number()), next() & 1);
        break;
    case 1:
        mix(vgic_sysreg(g, vcpu, sysreg(), write, &value));
        break;
    default:
        mix(vgic_mmio(g, vcpu, address(version), below(6) ? 4u : 1u << below(4), write, &value));
    }
    if (below(5000) == 0)
        vgic_init_vcpu(g, vcpu);
    mix(value);
}

static void interrupts(unsigned version, uint64_t count)
{
    struct arm_vcpu *all = calloc(SLOTS, sizeof *all);
    struct vgic_dist *dist = calloc(1, sizeof *dist);
    uint16_t *slot = calloc(VCPUS, sizeof *slot);
    struct vgic g = {dist, all, slot, version == 2 ? 1 + (unsigned)below(8) : 1 + (unsigned)below(VCPUS), 0};
    for (unsigned i = 0; i < g.vcpus; i++)
        slot[i] = i > 0 && below(10) == 0 ? VGIC_NO_SLOT : (uint16_t)(SLOTS - 1 - i);
    if (!vgic_init(&g, version, (unsigned)(below(4) ? 64 : below(989))))
        fail("vgic_init", 0);
    for (uint64_t n = 0; n < count; n++) {
        unsigned before[VCPUS];
        for (unsigned i = 0; i < g.vcpus; i++)
            before[i] = vgic_lines(&g, i);
        g.changed = 0;
        access(&g, version);
        const char *bad = vgic_bad(&g);
        if (bad)
            fail(bad, n);
        for (unsigned i = 0; i < g.vcpus; i++)
            if (before[i] != vgic_lines(&g, i) && !(g.changed >> i & 1))
                fail("changed", n);
        mix(g.changed);
    }
    for (size_t i = 0; i < SLOTS * sizeof *all; i++)
        mix(((const uint8_t *)all)[i]);
    for (size_t i = 0; i < sizeof *dist; i++)
        mix(((const uint8_t *)dist)[i]);
    free(all), free(dist), free(slot);
}

static void timers(uint64_t count)
{
    struct vtimer timer[VTIMERS] = {0};
    uint64_t now = below(1000), cntvoff = below(1000);
    for (uint64_t n = 0; n < count; n++, now += below(1000)) {
        uint64_t value = number();
        uint32_t reg = below(8) ? ARM_SYSREG(3, 3, 14, (uint32_t)below(4), (uint32_t)below(3)) : (uint32_t)number();
        mix(vtimer_sysreg(timer, cntvoff, number(), (unsigned)below(2), now, reg, next() & 1, &value));
        uint64_t deadline = vtimer_deadline(timer, cntvoff, now);
        mix(value), mix(deadline);
        if (!vtimer_ok(timer) || (deadline && deadline <= now))
            fail("timer", n);
    }
}

static bool on(void *ctx, unsigned vcpu) { return *(uint64_t *)ctx >> vcpu & 1; }
static bool start(void *ctx, unsigned vcpu, uint64_t entry, uint64_t context)
{
    *(uint64_t *)ctx ^= UINT64_C(1) << vcpu, mix(entry), mix(context);
    return vcpu != 3;
}
static void nothing(void *ctx) { mix(*(uint64_t *)ctx); }

static void power(uint64_t count)
{
    uint64_t up = 1;
    const struct psci_effects effects = {VCPUS, on, start, nothing, nothing, nothing, nothing};
    for (uint64_t n = 0; n < count; n++) {
        uint64_t x[4] = {below(4) ? (below(2) ? 0x84000000 : 0xc4000000) + below(12) : number(), number(), number(), number()};
        psci_call(&effects, &up, next() & 1, x);
        mix(x[0]), mix(x[1]);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    state = strtoull(argv[1], NULL, 0) * 0x9e3779b97f4a7c15 + 1;
    uint64_t count = strtoull(argv[2], NULL, 0);
    interrupts(2, count), interrupts(3, count), timers(count), power(count);
    printf("%016" PRIx64 "\n", digest);
    return 0;
}
