/* gic.h (ARM) - the generic interrupt controller, version 2 or 3 by what the device tree says; interrupts.h counts what it
 * brings. Facts: Arm IHI 0048 (GICv2), IHI 0069 (GICv3).
 */
#ifndef GUEST_ARM_GIC_H
#define GUEST_ARM_GIC_H
#include <stdbool.h>
#include <stdint.h>

#define INTERRUPTS 1020
enum { GIC_SPURIOUS = 1023, GIC_FIRST_PPI = 16, GIC_FIRST_SPI = 32, GIC_PRIORITY = 0xa0 };
/* Distributor, and the SGI frame of a redistributor: byte offsets. */
enum {
    GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IIDR = 0x008, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180, GICD_ISPENDR = 0x200, GICD_ICPENDR = 0x280, GICD_ISACTIVER = 0x300, GICD_ICACTIVER = 0x380,
    GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xc00, GICD_SGIR = 0xf00, GICD_CPENDSGIR = 0xf10,
    GICD_SPENDSGIR = 0xf20, GICD_IROUTER = 0x6000
};
enum { GICC_CTLR = 0x00, GICC_PMR = 0x04, GICC_BPR = 0x08, GICC_IAR = 0x0c, GICC_EOIR = 0x10, GICC_RPR = 0x14, GICC_HPPIR = 0x18 };
enum { GICR_CTLR = 0x00, GICR_TYPER = 0x08, GICR_WAKER = 0x14, GICR_SGI_FRAME = 0x10000 };

/* 2 or 3. */
unsigned gic_version(void);
void gic_init(const void *device_tree);
/* The part that each processor does for itself. */
void gic_init_cpu(void);
volatile uint32_t *gicd(unsigned offset);
/* A register of the CPU interface, GICv2's. */
volatile uint32_t *gicc(unsigned offset);
/* Where the enable, pending ... bits of an interrupt are: in the distributor, or for SGIs and PPIs of a GICv3 in this
 * processor's redistributor. `base`: one of the offsets above. */
volatile uint32_t *gic_bits(unsigned base, unsigned interrupt);
/* Let an interrupt of this processor (SGI, PPI), or an SPI, through; and not. An SPI goes to processor 0. */
void gic_enable(unsigned interrupt);
void gic_disable(unsigned interrupt);
void gic_priority(unsigned interrupt, uint8_t priority);
/* Send SGI `number` to processors, a bit each. */
void gic_send(unsigned number, unsigned processors);
/* Take the highest pending interrupt (GIC_SPURIOUS: none), as the controller gives it; end it. */
uint32_t gic_acknowledge(void);
void gic_end(uint32_t acknowledged);

#endif
