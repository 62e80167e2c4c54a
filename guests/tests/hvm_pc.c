/* @title  a guest in place of a PC's firmware
 * @fact   it is entered without a start_info, among a PC's devices: a host bridge, a drive, a network card, debug ports
 * @source xen/docs/misc/pvh.pandoc (registers); Intel 82441FX (3.2), ATA-4 (8.27), QEMU hw/char/debugcon.c
 * @env    hvm64 hvm32 hvm32pae
 * @disk   16
 * @nic    nat
 */
#include <guest.h>
#include <pc.h>

enum { READ_SECTORS = 0x20 };

static uint16_t first_word(uint8_t sector)
{
    outb(IDE1 + 6, 0xe0);
    outb(IDE1 + 2, 1);
    outb(IDE1 + 3, sector);
    outb(IDE1 + 4, 0);
    outb(IDE1 + 5, 0);
    outb(IDE1 + IDE_COMMAND, READ_SECTORS);
    for (unsigned turns = 0; (inb(IDE1 + IDE_COMMAND) & (IDE_BSY | IDE_DRQ)) != IDE_DRQ; turns++)
        require(turns < 1000000);
    uint16_t word = inw(IDE1);

    for (unsigned i = 1; i < 256; i++)
        check_eq(inw(IDE1), 0);
    return word;
}

void test_main(void)
{
    check(guest_start_info() == NULL);
    check_eq(pci_read(PCI_FUNCTION(0, 0), 0), 0x12378086);
    check_eq(pci_read(PCI_FUNCTION(4, 0), 0), 0x100e8086);
    check_eq(first_word(5), 5);
    check_eq(first_word(15), 15);
    check_eq(inb(0xe9), 0xe9);
    for (const char *c = "by port 0xe9\n"; *c; c++)
        outb(0xe9, (uint8_t)*c);
    *(volatile uint32_t *)0x300000 = 0;
    *(volatile uint32_t *)0x200000 = 1;             /* A20 is open: another address */
    check_eq(*(volatile uint32_t *)0x300000, 0);
}
