/* ide.c (HVM) - commands to the first IDE channel. */
#include <guest.h>
#include <ide.h>

uint8_t ide_wait(void)
{
    for (unsigned turns = 0; inb(IDE_ALTERNATE) & IDE_BSY; turns++)
        if (turns > 100000)
            broken("the drive is busy for ever");
    return inb(IDE_ALTERNATE);
}

void ide_command(uint8_t command, uint32_t lba, uint8_t count)
{
    outb(IDE_DEVICE, (uint8_t)(IDE_LBA | (lba >> 24 & 15)));
    outb(IDE_COUNT, count);
    outb(IDE_LOW, (uint8_t)lba);
    outb(IDE_MID, (uint8_t)(lba >> 8));
    outb(IDE_HIGH, (uint8_t)(lba >> 16));
    outb(IDE_STATUS, command);
}

void ide_read(void *to, unsigned words)
{
    uint16_t *out = to;

    if (!(ide_wait() & IDE_DRQ))
        fail("the drive offers no data: status %#x, error %#x", inb(IDE_ALTERNATE), inb(IDE_ERROR));
    while (words--)
        *out++ = inw(IDE_DATA);
}

void ide_write(const void *from, unsigned words)
{
    const uint16_t *in = from;

    if (!(ide_wait() & IDE_DRQ))
        fail("the drive takes no data: status %#x, error %#x", inb(IDE_ALTERNATE), inb(IDE_ERROR));
    while (words--)
        outw(IDE_DATA, *in++);
}

void ide_master_on(void)
{
    unsigned function = PCI_FUNCTION(1, 1);

    pci_write(function, 0x20, MASTER_PORT);
    pci_write(function, 4, 5);
}
