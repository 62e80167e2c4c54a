/* @title  a guest in place of a PC's firmware
 * @fact   it is entered without a start_info, among a PC's devices: a host bridge, a drive, a network card, debug ports
 * @source xen/docs/misc/pvh.pandoc (registers); Intel 82441FX (3.2), ATA-4 (8.27), QEMU hw/char/debugcon.c
 * @env    hvm64
 * @disk   16
 * @nic    nat
 */
#include <guest.h>

enum { PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc, IDE = 0x1f0, READ_SECTORS = 0x20, BUSY = 0x80, DRQ = 8 };

static uint32_t pci_id(unsigned slot)
{
    outl(PCI_ADDRESS, 0x80000000 | slot << 11);
    return inl(PCI_DATA);
}

static uint16_t first_word(uint8_t sector)
{
    outb(IDE + 6, 0xe0);
    outb(IDE + 2, 1);
    outb(IDE + 3, sector);
    outb(IDE + 4, 0);
    outb(IDE + 5, 0);
    outb(IDE + 7, READ_SECTORS);
    for (unsigned turns = 0; (inb(IDE + 7) & (BUSY | DRQ)) != DRQ; turns++)
        require(turns < 1000000);
    uint16_t word = inw(IDE);

    for (unsigned i = 1; i < 256; i++)
        check_eq(inw(IDE), 0);
    return word;
}

void test_main(void)
{
    check(guest_start_info() == NULL);
    check_eq(pci_id(0), 0x12378086);
    check_eq(pci_id(4), 0x100e8086);
    check_eq(first_word(5), 5);
    check_eq(first_word(15), 15);
    check_eq(inb(0xe9), 0xe9);
    for (const char *c = "by port 0xe9\n"; *c; c++)
        outb(0xe9, (uint8_t)*c);
    *(volatile uint32_t *)0x300000 = 0;
    *(volatile uint32_t *)0x200000 = 1;             /* A20 is open: another address */
    check_eq(*(volatile uint32_t *)0x300000, 0);
}
