/* @title  ATAPI: a CD-ROM drive
 * @fact   it is told from a disk by its signature; packets bring data in pieces of the size that the guest names, by PIO or
 *         DMA; a refused one leaves sense data; the tray obeys its lock; a new disc is a unit attention
 * @source ATA/ATAPI-6 (T13/1410D), 8.23 (PACKET), 9.8, 9.12 (signature); SPC-3, 6.27 (REQUEST SENSE); MMC-5, 6 (commands)
 * @env    hvm64
 * @cdrom  30
 */
#include <guest.h>
#include <ide.h>
#include <irq.h>

enum { BLOCK = 2048, BLOCKS = 30, PER_BLOCK = 4 };
enum { TEST_READY = 0, SENSE = 3, INQUIRY = 0x12, START_STOP = 0x1b, LOCK = 0x1e, CAPACITY = 0x25, READ_10 = 0x28, TOC = 0x43 };
enum { NOT_READY = 2, ILLEGAL = 5, ATTENTION = 6, LOAD = 3, EJECT = 2, DONE = 3, TO_HOST = 2, COMMAND = 1, BY_DMA = 1 };

static uint8_t data[8 * BLOCK] __attribute__((aligned(4096)));
static unsigned pieces;

static uint32_t big(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static void announce(const uint8_t *packet, unsigned limit, uint8_t features)
{
    outb(IDE_ERROR, features);
    outb(IDE_DEVICE, 0xa0);
    outb(IDE_MID, (uint8_t)limit);
    outb(IDE_HIGH, (uint8_t)(limit >> 8));
    outb(IDE_STATUS, ATA_PACKET);
    ide_wait();
    check_eq(inb(IDE_COUNT), COMMAND);
    ide_write(packet, 6);
}

/* The bytes that a packet brings; -1: it is refused. */
static int packet_of(const uint8_t *packet, unsigned limit)
{
    unsigned got = 0;

    announce(packet, limit, 0);
    for (pieces = 0; ide_wait() & IDE_DRQ; pieces++) {
        unsigned bytes = inb(IDE_MID) | (unsigned)inb(IDE_HIGH) << 8;

        check_eq(inb(IDE_COUNT), TO_HOST);
        require(bytes <= limit && got + bytes <= sizeof(data));
        ide_read(data + got, (bytes + 1) / 2);
        got += bytes;
    }
    check_eq(inb(IDE_COUNT), DONE);
    return inb(IDE_STATUS) & IDE_ERR ? -1 : (int)got;
}

static int packet(uint8_t op, uint8_t one, uint8_t four, uint8_t eight)
{
    return packet_of((uint8_t[12]){ op, one, 0, 0, four, 0, 0, 0, eight }, 0xfffe);
}

static int read_blocks(uint8_t first, uint8_t count, unsigned limit)
{
    return packet_of((uint8_t[12]){ READ_10, 0, 0, 0, 0, first, 0, 0, count }, limit);
}

static void sense_is(unsigned key, unsigned code)
{
    check_eq(inb(IDE_ERROR) >> 4, key);
    check_eq(packet(SENSE, 0, 18, 0), 18);
    check_eq(data[0], 0x70);
    check_eq(data[2] & 15, key);
    check_eq(data[12], code);
}

static void who(void)
{
    check_eq(inb(IDE_MID), 0x14);
    check_eq(inb(IDE_HIGH), 0xeb);
    ide_command(ATA_IDENTIFY, 0, 0);
    check_eq(ide_wait() & (IDE_ERR | IDE_DRQ), IDE_ERR);
    check_eq(inb(IDE_ERROR) & IDE_ABRT, IDE_ABRT);
    check_eq(inb(IDE_MID), 0x14);
    check_eq(inb(IDE_HIGH), 0xeb);
    ide_command(ATA_IDENTIFY_PACKET, 0, 0);
    ide_read(data, 256);
    check_eq(data[1] & 0xdf, 0x85);                       /* ATAPI, a CD-ROM, removable; 12 bytes a packet */
    check_eq(data[0] & 3, 0);
    check_eq(packet(INQUIRY, 0, 36, 0), 36);
    check_eq(data[0] & 0x1f, 5);
    check_eq(data[1] & 0x80, 0x80);
    check(data[4] >= 31);
    check_eq(packet(INQUIRY, 0, 5, 0), 5);                 /* no more than is asked for */
}

static void reads(void)
{
    check_eq(packet(CAPACITY, 0, 0, 0), 8);
    check_eq(big(data), BLOCKS - 1);
    check_eq(big(data + 4), BLOCK);
    check_eq(read_blocks(9, 2, 0xfffe), 2 * BLOCK);
    check_eq(pieces, 1);
    check_eq(*(uint64_t *)data, 9 * PER_BLOCK);
    check_eq(*(uint64_t *)(data + BLOCK + 512), 10 * PER_BLOCK + 1);
    memset(data, 0, sizeof(data));
    check_eq(read_blocks(BLOCKS - 1, 1, 512), BLOCK);
    check_eq(pieces, 4);
    check_eq(*(uint64_t *)(data + 1536), (BLOCKS - 1) * PER_BLOCK + 3);
    check_eq(packet_of((uint8_t[12]){ TOC, 0, 0, 0, 0, 0, 0, 0, 20 }, 0xfffe), 20);
    check_eq(data[0] << 8 | data[1], 18);
    check_eq(data[2] << 8 | data[3], 0x101);              /* one track */
    check_eq(data[5] & 0xf4, 0x14);                       /* of data */
    check_eq(data[14], 0xaa);                             /* and the end, behind the last block */
    check_eq(big(data + 16), BLOCKS);
}

static void refusals(void)
{
    check_eq(read_blocks(BLOCKS - 1, 2, 0xfffe), -1);
    sense_is(ILLEGAL, 0x21);
    check_eq(packet(0xee, 0, 0, 0), -1);
    sense_is(ILLEGAL, 0x20);
    check_eq(packet(0xee, 0, 0, 0), -1);
    check_eq(packet(TEST_READY, 0, 0, 0), 0);
    check_eq(packet(SENSE, 0, 18, 0), 18);
    check_eq(data[2] & 15, 0);                            /* the good command has left none */
}

static void tray(void)
{
    check_eq(packet(LOCK, 0, 1, 0), 0);
    check_eq(packet(START_STOP, 0, EJECT, 0), -1);
    sense_is(ILLEGAL, 0x53);
    check_eq(read_blocks(0, 1, 0xfffe), BLOCK);
    check_eq(packet(LOCK, 0, 0, 0), 0);
    check_eq(packet(START_STOP, 0, EJECT, 0), 0);
    check_eq(read_blocks(0, 1, 0xfffe), -1);
    sense_is(NOT_READY, 0x3a);
    check_eq(packet(START_STOP, 0, LOAD, 0), 0);
    check_eq(packet(TEST_READY, 0, 0, 0), -1);
    sense_is(ATTENTION, 0x28);
    check_eq(packet(TEST_READY, 0, 0, 0), 0);
}

static void by_dma(void)
{
    static struct region table[1] __attribute__((aligned(8)));

    ide_master_on();
    table[0] = (struct region){ (uint32_t)(unsigned long)data, 2 * BLOCK, REGION_LAST };
    memset(data, 0x5a, sizeof(data));
    outl(MASTER_TABLE, (uint32_t)(unsigned long)table);
    outb(MASTER_STATUS, MASTER_INTERRUPT);
    announce((uint8_t[12]){ READ_10, 0, 0, 0, 0, 20, 0, 0, 2 }, 0, BY_DMA);
    outb(MASTER_COMMAND, MASTER_TO_MEMORY | MASTER_START);
    ide_wait();
    check_eq(inb(MASTER_STATUS) & (MASTER_ACTIVE | MASTER_INTERRUPT), MASTER_INTERRUPT);
    check_eq(pic_requests() >> IDE_IRQ & 1, 1);
    check_eq(inb(IDE_STATUS) & IDE_ERR, 0);
    check_eq(*(uint64_t *)data, 20 * PER_BLOCK);
    check_eq(*(uint64_t *)(data + BLOCK), 21 * PER_BLOCK);
    check_eq(data[2 * BLOCK], 0x5a);
}

void test_main(void)
{
    pic_init(ICW4_8086);
    outb(IDE_ALTERNATE, 0);
    who();
    reads();
    refusals();
    tray();
    by_dma();
}
