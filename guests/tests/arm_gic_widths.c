/* @title  accesses that the interrupt controller does not take
 * @fact   a register that is met by another width than its own, and an address that has none, abort; registers of bytes are
 *         met by bytes and words
 * @source Arm IHI 0048B 4.1.4; IHI 0069 12.1.3; Xen 4.17, xen/arch/arm/vgic-v2.c and vgic-v3.c
 * @env    arm64 arm32
 */
#include <guest.h>
#include <gic_cpu.h>


enum { REDISTRIBUTOR_BYTES = 0x20000 };

#define READ(name, type) static void read_##name(void *at) { (void)*(volatile type *)at; }
#define WRITE(name, type) static void write_##name(void *at) { *(volatile type *)at = 0; }
READ(byte, uint8_t)
READ(half, uint16_t)
READ(word, uint32_t)
WRITE(byte, uint8_t)
WRITE(half, uint16_t)

static void aborts(void (*fn)(void *), unsigned offset)
{
    struct fault *f = fault_arm();

    check(!fault_probe(fn, (void *)gicd(offset)));
    check_fault(f, EC_DABT, FSC_INJECTED);
    check_eq(f->esr & ISS_WNR, 0);                      /* not told, as little as a status */
    check_eq(f->far, (unsigned long)gicd(offset));
}

static void passes(void (*fn)(void *), unsigned offset)
{
    struct fault *f = fault_arm();

    check(fault_probe(fn, (void *)gicd(offset)));
    check_no_fault(f);
}

void test_main(void)
{
    static const unsigned words[] = { GICD_CTLR, GICD_TYPER, GICD_ISENABLER + 4, GICD_ICPENDR + 4, GICD_ICFGR + 8 };

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        aborts(read_byte, words[i]);
        aborts(write_byte, words[i]);
        aborts(read_half, words[i]);
        aborts(write_half, words[i]);
        passes(read_word, words[i]);
    }
    passes(read_byte, GICD_IPRIORITYR + 0x21);
    passes(write_byte, GICD_IPRIORITYR + 0x21);
    aborts(read_half, GICD_IPRIORITYR + 0x20);
    passes(read_half, 0x20);                            /* the implementation's own: any width */
    if (gic_is_v3())                                    /* the redistributor of a processor that is not there */
        aborts(read_word, (unsigned)((uintptr_t)gicc(0) - (uintptr_t)gicd(0)) + REDISTRIBUTOR_BYTES);
    else
        passes(read_byte, GICD_SPENDSGIR + 3);
}
