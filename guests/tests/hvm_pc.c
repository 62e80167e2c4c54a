/* @title  a guest in place of a PC's firmware
 * @fact   it is entered without a start_info, among a PC's devices: a host bridge, a drive, a network card, debug ports
 * @source xen/docs/misc/pvh.pandoc (registers); Intel 82441FX (3.2), ATA-4 (8.27), QEMU hw/char/debugcon.c
 * @env    hvm64 hvm32 hvm32pae
 * @disk   16
 * @nic    nat
 */
#include <guest.h>
#include <ide.h>
#include <pc.h>

static uint16_t first_word(uint8_t sector)
{
    uint16_t words[256];

    ide_command(ATA_READ, sector, 1);
    ide_read(words, ARRAY_SIZE(words));
    for (unsigned i = 1; i < ARRAY_SIZE(words); i++)
        check_eq(words[i], 0);
    return words[0];
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
