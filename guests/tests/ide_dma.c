/* @title  IDE: sectors by bus master
 * @fact   data go to and from the regions of a table, whatever their sizes; the status says that the drive has interrupted
 *         and whether the table has ended; without leave of the command register memory is not reached
 * @source Programming Interface for Bus Master IDE Controller 1.0, 1.2 (descriptors), 2.1 to 2.3 (registers), 3.1 (status);
 *         ATA/ATAPI-6, 9.7 (DMA protocol)
 * @env    hvm64
 * @disk   200
 */
#include <guest.h>
#include <ide.h>
#include <irq.h>

enum { SECTOR = 512, ANY = 0x5a };
static char data[16 * SECTOR] __attribute__((aligned(4096)));
static struct region table[4] __attribute__((aligned(16)));

static void region(unsigned n, void *at, unsigned bytes, bool last)
{
    table[n] = (struct region){ (uint32_t)(unsigned long)at, (uint16_t)bytes, last ? REGION_LAST : 0 };
}

static uint8_t run(uint8_t command, uint32_t lba, uint8_t count, uint8_t direction)
{
    outb(MASTER_COMMAND, 0);
    outl(MASTER_TABLE, (uint32_t)(unsigned long)table);
    outb(MASTER_STATUS, MASTER_INTERRUPT | MASTER_ERROR);
    check_eq(inb(MASTER_STATUS) & (MASTER_INTERRUPT | MASTER_ERROR | MASTER_ACTIVE), 0);
    ide_command(command, lba, count);
    outb(MASTER_COMMAND, direction | MASTER_START);
    for (unsigned turns = 0; turns < 5000 && !(inb(MASTER_STATUS) & MASTER_INTERRUPT); turns++)
        clock_spin(1000);
    return inb(MASTER_STATUS);
}

static unsigned long word(unsigned sector) { return *(volatile unsigned long *)(data + sector * SECTOR); }

static void reads(void)
{
    memset(data, ANY, sizeof(data));
    region(0, data, 3 * SECTOR, true);
    check_eq(run(ATA_READ_DMA, 100, 3, MASTER_TO_MEMORY), MASTER_INTERRUPT);      /* both have ended together */
    check_eq(pic_requests() >> IDE_IRQ & 1, 1);
    check_eq(inb(IDE_STATUS) & (IDE_ERR | IDE_DRQ | IDE_BSY), 0);
    check_eq(inb(MASTER_STATUS) & MASTER_INTERRUPT, MASTER_INTERRUPT);            /* until a one is written */
    outb(MASTER_STATUS, MASTER_INTERRUPT);
    check_eq(inb(MASTER_STATUS) & MASTER_INTERRUPT, 0);
    check_eq(inb(MASTER_COMMAND), MASTER_TO_MEMORY | MASTER_START);
    for (unsigned i = 0; i < 3; i++)
        check_eq(word(i), 100 + i);
    check_eq(data[3 * SECTOR], ANY);

    /* Regions that do not end with sectors. */
    memset(data, ANY, sizeof(data));
    region(0, data + 4096, 6, false);
    region(1, data + 64, SECTOR, false);
    region(2, data + 2 * SECTOR, 2 * SECTOR - 6 - SECTOR, true);
    check_eq(run(ATA_READ_DMA, 8, 2, MASTER_TO_MEMORY), MASTER_INTERRUPT);
    inb(IDE_STATUS);
    check_eq(*(uint32_t *)(data + 4096), 8);
    check_eq(data[4096 + 6], ANY);
    check_eq(data[63], ANY);
    check_eq(data[64 + SECTOR - 6], 9);                   /* the second sector begins there */
    check_eq(data[64 + SECTOR], ANY);
    check_eq(data[2 * SECTOR - 1], ANY);
    check_eq(data[2 * SECTOR], 0);
    check_eq(data[3 * SECTOR - 6], ANY);

    /* The table is longer than the transfer: it stays active. */
    region(0, data, 4 * SECTOR, true);
    check_eq(run(ATA_READ_DMA, 50, 2, MASTER_TO_MEMORY), MASTER_INTERRUPT | MASTER_ACTIVE);
    outb(MASTER_COMMAND, MASTER_TO_MEMORY);
    check_eq(inb(MASTER_STATUS) & MASTER_ACTIVE, 0);
    inb(IDE_STATUS);
    check_eq(word(1), 51);

    /* It is shorter: the master is done, the drive is not, and does not interrupt. */
    region(0, data, SECTOR, true);
    check_eq(run(ATA_READ_DMA, 60, 2, MASTER_TO_MEMORY), 0);
    check_eq(word(0), 60);
    check(inb(IDE_ALTERNATE) & (IDE_BSY | IDE_DRQ));
    outb(IDE_ALTERNATE, IDE_RESET);
    outb(IDE_ALTERNATE, 0);
    ide_wait();
}

static void writes(void)
{
    for (unsigned i = 0; i < 2 * SECTOR; i++)
        data[i] = (char)(i * 7);
    region(0, data + SECTOR, SECTOR, false);
    region(1, data, SECTOR, true);
    check_eq(run(ATA_WRITE_DMA, 70, 2, 0), MASTER_INTERRUPT);
    check_eq(inb(IDE_STATUS) & IDE_ERR, 0);
    region(0, data + 2 * SECTOR, 2 * SECTOR, true);
    run(ATA_READ_DMA, 70, 2, MASTER_TO_MEMORY);
    inb(IDE_STATUS);
    check(memcmp(data + 2 * SECTOR, data + SECTOR, 1) == 0);
    check(memcmp(data + 3 * SECTOR, data, SECTOR) == 0);
    check_eq(data[2 * SECTOR + 5], (char)((SECTOR + 5) * 7));
}

/* A length of 0 is 64 KiB: the table has enough for 128 sectors. */
static void long_region(void)
{
    region(0, (void *)0x400000, 0, true);
    check_eq(run(ATA_READ_DMA, 0, 128, MASTER_TO_MEMORY), MASTER_INTERRUPT);
    inb(IDE_STATUS);
    check_eq(*(volatile uint64_t *)0x400000, 0);
    check_eq(*(volatile uint64_t *)(0x400000 + 127UL * SECTOR), 127);
}

void test_main(void)
{
    unsigned function = PCI_FUNCTION(1, 1);

    pic_init(ICW4_8086);
    outb(IDE_ALTERNATE, 0);
    pci_write(function, 0x20, 0xffffffff);
    check_eq(pci_read(function, 0x20), 0xfffffff1);       /* 16 ports */
    ide_master_on();
    reads();
    writes();
    long_region();

    pci_write(function, 4, 1);
    memset(data, ANY, sizeof(data));
    region(0, data, SECTOR, true);
    run(ATA_READ_DMA, 5, 1, MASTER_TO_MEMORY);
    check_eq(data[0], ANY);
}
