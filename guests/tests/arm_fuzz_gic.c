/* @title  the interrupt controller under a guest that does anything
 * @fact   accesses of every width to every register, plausible ones and wild ones, abort or do what registers do; the guest
 *         goes on, its clock too, and afterwards an interrupt still comes
 * @source Arm IHI 0048B, IHI 0069
 * @env    arm64 arm32
 * @vcpus  2
 * @cmdline seed=1 count=20000
 */
#include <guest.h>
#include <gic_cpu.h>
#include <random.h>

enum { PPI = 20 };
static struct random rng;

static uint32_t wild(void)
{
    switch (random_below(&rng, 3)) {
    case 0: return (uint32_t)random_below(&rng, 64);
    case 1: return 1u << random_below(&rng, 32);
    default: return (uint32_t)random_next(&rng);
    }
}

static void access(void *arg)
{
    uintptr_t at = (uintptr_t)arg;
    uint32_t value = wild();
    unsigned width = random_below(&rng, 4) ? 4 : 1u << random_below(&rng, 2), write = random_below(&rng, 2);

    if (random_below(&rng, 8))
        at &= ~(uintptr_t)(width - 1);
    if (width == 1)
        (void)(write ? (*(volatile uint8_t *)at = (uint8_t)value) : *(volatile uint8_t *)at);
    else if (width == 2 && !(at & 1))
        (void)(write ? (*(volatile uint16_t *)at = (uint16_t)value) : *(volatile uint16_t *)at);
    else if (!(at & 3))
        (void)(write ? (*(volatile uint32_t *)at = value) : *(volatile uint32_t *)at);
}

static uintptr_t somewhere(void)
{
    uintptr_t offset = random_below(&rng, 0x1000);

    if (!gic_is_v3())
        return random_below(&rng, 3) ? (uintptr_t)gicd(0) + offset : (uintptr_t)gicc(0) + 2 * offset;
    switch (random_below(&rng, 4)) {
    case 0: return (uintptr_t)gicd(0) + offset;
    case 1: return (uintptr_t)gicd(0x6000) + 2 * offset;
    case 2: return (uintptr_t)gicc(0) + random_below(&rng, 5) * 0x10000 + offset;
    default: return (uintptr_t)gicd(0) + 16 * offset;
    }
}

void test_main(void)
{
    gic_without_events();
    uint64_t count = guest_option("count", 20000), before = clock_ns();

    rng.state = guest_option("seed", 1);
    for (uint64_t i = 0; i < count; i++) {
        fault_arm();
        (void)fault_probe(access, (void *)somewhere());
    }
    check(clock_ns() > before);

    /* In order again. */
    for (unsigned base = GICD_ICENABLER; base <= GICD_ICACTIVER; base += GICD_ICACTIVER - GICD_ICENABLER)
        *gic_bits(base, PPI) = 0xffffffff;
    *gic_bits(GICD_ICPENDR, PPI) = 0xffffffff;
    for (unsigned bank = 1; bank <= (*gicd(GICD_TYPER) & 0x1f); bank++)
        *gicd(GICD_ICENABLER + 4 * bank) = 0xffffffff;
    for (unsigned i = 0; i < 32; i++)
        gic_end(0);
    gic_split_end(false);
    gic_mask(0xff);
    gic_point(3);
    *gicd(GICD_CTLR) = gic_is_v3() ? 2 : 1;
    gic_enable(PPI);
    gic_pend(PPI);
    check_eq(gic_take_and_end(), PPI);
}
