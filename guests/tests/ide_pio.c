/* @title  IDE: sectors by PIO
 * @fact   what IDENTIFY says; blocks of one or several sectors, an interrupt each; addresses of 28 and 48 bits and by
 *         cylinder; what is written is read; what fails says so, and where
 * @source ATA/ATAPI-6 (T13/1410D), 7 (registers), 8.15 (IDENTIFY DEVICE), 8.27 (READ SECTORS), 8.33, 9.5 and 9.6 (PIO
 *         protocols), 9.1 (software reset)
 * @env    hvm64 hvm32
 * @disk   40
 */
#include <guest.h>
#include <ide.h>
#include <irq.h>

enum { SECTORS = 40, WORDS = 256, RECALIBRATE = 0x10, NO_SUCH = 0x05 };
static uint16_t block[4 * WORDS];

static bool line(void) { return pic_requests() >> IDE_IRQ & 1; }

static void identity(void)
{
    uint8_t sum = 0;

    ide_command(ATA_IDENTIFY, 0, 0);
    ide_read(block, WORDS);
    check_eq(inb(IDE_STATUS) & (IDE_DRQ | IDE_ERR), 0);
    check_eq(block[0] & 0x8000, 0);                       /* a disk */
    check_eq(block[49] & 0x300, 0x300);                   /* LBA and DMA */
    check_eq(block[60] | block[61] << 16, SECTORS);
    check_eq(block[83] & 0xc400, 0x4400);                 /* 48-bit addresses */
    check_eq(block[100] | block[101] << 16, SECTORS);
    check_eq(block[255] & 0xff, 0xa5);
    for (unsigned i = 0; i < WORDS; i++)
        sum = (uint8_t)(sum + block[i] + (block[i] >> 8));
    check_eq(sum, 0);
}

static void reading(void)
{
    ide_wait();
    inb(IDE_STATUS);
    check(!line());
    ide_command(ATA_READ, 7, 3);
    for (unsigned i = 0; i < 3; i++) {
        ide_wait();
        check(line());
        check(line());                                    /* the alternate status leaves it alone */
        check_eq(inb(IDE_STATUS) & (IDE_DRQ | IDE_ERR | IDE_DRDY), IDE_DRQ | IDE_DRDY);
        check(!line());
        ide_read(block, WORDS);
        check_eq(block[0], 7 + i);
    }
    check_eq(ide_wait() & IDE_DRQ, 0);
    check(!line());                                       /* of the last one nothing more is told */
    ide_command(ATA_SET_MULTIPLE, 0, 4);
    ide_wait();
    check_eq(inb(IDE_STATUS) & IDE_ERR, 0);
    ide_command(ATA_READ_MULTIPLE, 20, 6);
    for (unsigned i = 0; i < 6; i += 4) {
        ide_wait();
        check(line());
        inb(IDE_STATUS);
        ide_read(block, (i ? 2 : 4) * WORDS);
        for (unsigned j = 0; j < (i ? 2u : 4u); j++)
            check_eq(block[j * WORDS], 20 + i + j);
    }
    check_eq(ide_wait() & IDE_DRQ, 0);
    ide_command(ATA_SET_MULTIPLE, 0, 3);                  /* no power of two */
    check_eq(ide_wait() & IDE_ERR, IDE_ERR);

    /* By cylinder, head and sector, which counts from 1; and with 48 bits, each register twice. */
    outb(IDE_DEVICE, 0xa0);
    outb(IDE_COUNT, 1);
    outb(IDE_LOW, 6);
    outb(IDE_MID, 0);
    outb(IDE_HIGH, 0);
    outb(IDE_STATUS, ATA_READ);
    ide_read(block, WORDS);
    check_eq(block[0], 5);
    outb(IDE_DEVICE, IDE_LBA);
    for (unsigned i = 0; i < 2; i++) {
        outb(IDE_COUNT, i ? 1 : 0);
        outb(IDE_LOW, i ? 33 : 0);
        outb(IDE_MID, 0);
        outb(IDE_HIGH, 0);
    }
    outb(IDE_STATUS, ATA_READ_EXT);
    ide_read(block, WORDS);
    check_eq(block[0], 33);
    outb(IDE_LOW, 0x12);
    outb(IDE_LOW, 0x34);
    check_eq(inb(IDE_LOW), 0x34);
    outb(IDE_ALTERNATE, IDE_HIGH_ORDER);
    check_eq(inb(IDE_LOW), 0x12);
    outb(IDE_ALTERNATE, 0);
}

static void writing(void)
{
    for (unsigned i = 0; i < 2 * WORDS; i++)
        block[i] = (uint16_t)(i * 3 + 1);
    ide_command(ATA_WRITE, 30, 2);
    ide_wait();
    check(!line());                                       /* for the first block nobody is called */
    ide_write(block, WORDS);
    ide_wait();
    check(line());
    inb(IDE_STATUS);
    ide_write(block + WORDS, WORDS);
    check_eq(ide_wait() & (IDE_DRQ | IDE_ERR), 0);
    check(line());
    inb(IDE_STATUS);
    ide_command(ATA_FLUSH, 0, 0);
    check_eq(ide_wait() & IDE_ERR, 0);
    memset(block, 0, sizeof(block));
    ide_command(ATA_READ, 30, 2);
    ide_read(block, WORDS);
    ide_read(block + WORDS, WORDS);
    for (unsigned i = 0; i < 2 * WORDS; i++)
        require_eq(block[i], (uint16_t)(i * 3 + 1));
    ide_command(ATA_READ, 32, 1);
    ide_read(block, WORDS);
    check_eq(block[0], 32);
}

static void errors(void)
{
    ide_command(ATA_READ, SECTORS - 1, 1);
    ide_read(block, WORDS);
    check_eq(block[0], SECTORS - 1);
    ide_command(ATA_READ, SECTORS - 1, 2);
    check_eq(ide_wait() & (IDE_ERR | IDE_DRQ), IDE_ERR);
    check_eq(inb(IDE_ERROR), IDE_IDNF);
    ide_command(ATA_VERIFY, 0, SECTORS);
    check_eq(ide_wait() & IDE_ERR, 0);
    ide_command(NO_SUCH, 0, 0);
    check_eq(ide_wait() & IDE_ERR, IDE_ERR);
    check_eq(inb(IDE_ERROR), IDE_ABRT);
    inb(IDE_STATUS);

    outb(IDE_ALTERNATE, IDE_NO_INTERRUPT);
    ide_command(RECALIBRATE, 0, 0);
    ide_wait();
    check(!line());
    outb(IDE_ALTERNATE, 0);
    check(line());
    inb(IDE_STATUS);
    outb(IDE_DEVICE, IDE_LBA | IDE_SECOND);               /* nobody there */
    check_eq(inb(IDE_STATUS), 0);
    outb(IDE_DEVICE, IDE_LBA);
}

static void resetting(void)
{
    ide_command(ATA_READ, 1, 1);
    outb(IDE_ALTERNATE, IDE_RESET);
    check_eq(inb(IDE_ALTERNATE) & IDE_BSY, IDE_BSY);
    outb(IDE_ALTERNATE, 0);
    ide_wait();
    check_eq(inb(IDE_COUNT), 1);                          /* the signature of a disk */
    check_eq(inb(IDE_LOW), 1);
    check_eq(inb(IDE_MID), 0);
    check_eq(inb(IDE_HIGH), 0);
    check_eq(inb(IDE_ERROR), 1);                          /* it is well */
    check_eq(inb(IDE_STATUS) & (IDE_DRQ | IDE_DRDY), IDE_DRDY);
}

void test_main(void)
{
    pic_init(ICW4_8086);
    outb(IDE_ALTERNATE, 0);
    identity();
    reading();
    writing();
    errors();
    resetting();
}
