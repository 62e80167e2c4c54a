/* pc.h (HVM) - where the devices of a PC are, and the ways to PCI configuration space and to the clock. Facts: Intel 82371SB (PIIX3) and
 * 82371AB (PIIX4) data sheets; PCI Local Bus Specification 3.0, 3.2.2.3.2; QEMU, docs/specs/fw_cfg.rst.
 */
#ifndef GUEST_HVM_PC_H
#define GUEST_HVM_PC_H
#include <stdint.h>

#include <system.h>

enum {
    PIC1 = 0x20, PIC2 = 0xa0, PIT = 0x40, KBC_DATA = 0x60, KBC = 0x64, RTC = 0x70, PORT_92 = 0x92, IDE2 = 0x170,
    IDE1 = 0x1f0, VBE = 0x1ce, VGA_PORTS = 0x3b0, FW_CFG = 0x510, FW_CFG_DMA = 0x514, COM1 = 0x3f8, COM2 = 0x2f8,
    RESET_CONTROL = 0xcf9, PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc
};
enum { IDE_COMMAND = 7, IDE_CONTROL = 0x206, IDE_BSY = 0x80, IDE_DRQ = 8 };
#define VGA_WINDOW 0xa0000UL
#define IOAPIC_BASE 0xfec00000UL
#define HPET_BASE 0xfed00000UL
#define PCI_FUNCTION(slot, function) ((unsigned)(slot) << 3 | (unsigned)(function))
#define PCI_NONE 0xffffu

/* `function`: slot and function, as PCI_FUNCTION() has them. */
static inline uint32_t pci_read(unsigned function, unsigned reg)
{
    outl(PCI_ADDRESS, 0x80000000u | function << 8 | (reg & 0xfc));
    return inl(PCI_DATA);
}

static inline void pci_write(unsigned function, unsigned reg, uint32_t value)
{
    outl(PCI_ADDRESS, 0x80000000u | function << 8 | (reg & 0xfc));
    outl(PCI_DATA, value);
}

/* The first function with this device and vendor (device << 16 | vendor); PCI_NONE: there is none. */
static inline unsigned pci_find(uint32_t device)
{
    for (unsigned function = 0; function < 256; function++)
        if (pci_read(function, 0) == device)
            return function;
    return PCI_NONE;
}

/* A register of the clock, or a byte of its memory. */
static inline uint8_t rtc_read(unsigned reg)
{
    outb(RTC, (uint8_t)reg);
    return inb(RTC + 1);
}

static inline void rtc_write(unsigned reg, unsigned value)
{
    outb(RTC, (uint8_t)reg);
    outb(RTC + 1, (uint8_t)value);
}

#endif
