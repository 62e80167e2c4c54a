/* gic.c (ARM) - both versions of the interrupt controller. */
#include <guest.h>

enum { VERSION_3 = 3, ALL_GROUP_1 = 0xffffffff, ARE = 1 << 4, ENABLE_GROUP_1 = 1 << 1, WAKER_SLEEP = 1 << 1, WAKER_ASLEEP = 1 << 2 };
enum { REDISTRIBUTOR_BYTES = 0x20000, TYPER_LAST = 1 << 4 };
static unsigned version;
static uintptr_t distributor, second;           /* the CPU interfaces of a GICv2, or the redistributors of a GICv3 */

unsigned gic_version(void) { return version; }
volatile uint32_t *gicd(unsigned offset) { return (volatile uint32_t *)(distributor + offset); }
volatile uint32_t *gicc(unsigned offset) { return (volatile uint32_t *)(second + offset); }

void gic_init(const void *tree)
{
    static const char path[] = "/interrupt-controller";

    version = fdt_has_text(tree, path, "compatible", "arm,gic-v3") ? VERSION_3 : 2;
    distributor = (uintptr_t)fdt_cells(tree, path, "reg", 0);
    second = (uintptr_t)fdt_cells(tree, path, "reg", 4);
    if (!distributor || !second)
        broken("the device tree names no interrupt controller");
    *gicd(GICD_CTLR) = version == VERSION_3 ? ARE | ENABLE_GROUP_1 : 1;
}

/* The frame of this processor: the one whose TYPER has its affinity. */
static void find_redistributor(void)
{
    uintptr_t at = second;

    for (;; at += REDISTRIBUTOR_BYTES) {
        const volatile uint32_t *typer = (const volatile uint32_t *)(at + GICR_TYPER);

        if (typer[1] == (uint32_t)cpu_affinity(this_cpu()->id))
            break;
        if (typer[0] & TYPER_LAST)
            broken("this processor has no redistributor");
    }
    this_cpu()->redistributor = (volatile uint32_t *)at;
}

void gic_init_cpu(void)
{
    if (version != VERSION_3) {
        *gicc(GICC_PMR) = 0xff;
        *gicc(GICC_CTLR) = 1;
        return;
    }
    find_redistributor();
    volatile uint32_t *waker = this_cpu()->redistributor + GICR_WAKER / 4;

    *waker &= ~(uint32_t)WAKER_SLEEP;
    while (*waker & WAKER_ASLEEP)
        ;
    *gic_bits(GICD_IGROUPR, 0) = ALL_GROUP_1;
    icc_enable(0xff);
}

volatile uint32_t *gic_bits(unsigned base, unsigned interrupt)
{
    if (version == VERSION_3 && interrupt < GIC_FIRST_SPI)
        return this_cpu()->redistributor + (GICR_SGI_FRAME + base) / 4;
    return gicd(base + interrupt / 32 * 4);
}

void gic_priority(unsigned interrupt, uint8_t priority)
{
    volatile uint32_t *words = interrupt < GIC_FIRST_SPI ? gic_bits(GICD_IPRIORITYR, 0) : gicd(GICD_IPRIORITYR);

    ((volatile uint8_t *)words)[interrupt] = priority;
}

void gic_enable(unsigned interrupt)
{
    gic_priority(interrupt, GIC_PRIORITY);
    if (interrupt >= GIC_FIRST_SPI && version == VERSION_3) {
        *gic_bits(GICD_IGROUPR, interrupt) |= 1u << interrupt % 32;
        *(volatile uint64_t *)gicd(GICD_IROUTER + 8 * interrupt) = 0;
    } else if (interrupt >= GIC_FIRST_SPI) {
        *(volatile uint8_t *)((uintptr_t)gicd(GICD_ITARGETSR) + interrupt) = 1;
    }
    *gic_bits(GICD_ISENABLER, interrupt) = 1u << interrupt % 32;
}

void gic_disable(unsigned interrupt)
{
    *gic_bits(GICD_ICENABLER, interrupt) = 1u << interrupt % 32;
}

void gic_send(unsigned number, unsigned processors)
{
    if (version == VERSION_3)
        icc_send(number, processors);
    else
        *gicd(GICD_SGIR) = processors << 16 | number;
}

uint32_t gic_acknowledge(void)
{
    return version == VERSION_3 ? icc_acknowledge() : *gicc(GICC_IAR);
}

void gic_end(uint32_t acknowledged)
{
    if (version == VERSION_3)
        icc_end(acknowledged);
    else
        *gicc(GICC_EOIR) = acknowledged;
}

bool arch_interrupt(struct regs *regs)
{
    enum { ID = 0x3ff };

    if (regs->vector != TRAP_IRQ)
        return false;
    uint32_t acknowledged = gic_acknowledge();

    if ((acknowledged & ID) == GIC_SPURIOUS)
        return true;
    bool taken = interrupt_taken(acknowledged & ID);

    gic_end(acknowledged);
    return taken;
}
