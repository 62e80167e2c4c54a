/* ide.h (HVM) - the first channel of a PC's IDE controller. Facts: ATA/ATAPI-6 (T13/1410D), chapters 7 and 9; Programming
 * Interface for Bus Master IDE Controller 1.0.
 */
#ifndef GUEST_HVM_IDE_H
#define GUEST_HVM_IDE_H
#include <stdbool.h>
#include <stdint.h>

#include <pc.h>

enum { IDE_DATA = IDE1, IDE_ERROR = IDE1 + 1, IDE_COUNT = IDE1 + 2, IDE_LOW = IDE1 + 3, IDE_MID = IDE1 + 4, IDE_HIGH = IDE1 + 5,
       IDE_DEVICE = IDE1 + 6, IDE_STATUS = IDE1 + 7, IDE_ALTERNATE = IDE1 + IDE_CONTROL };
enum { IDE_ERR = 1, IDE_DRDY = 0x40, IDE_ABRT = 4, IDE_IDNF = 0x10, IDE_LBA = 0xe0, IDE_SECOND = 0x10 };
enum { IDE_NO_INTERRUPT = 2, IDE_RESET = 4, IDE_HIGH_ORDER = 0x80, IDE_IRQ = 14 };
enum { ATA_READ = 0x20, ATA_READ_EXT = 0x24, ATA_WRITE = 0x30, ATA_VERIFY = 0x40, ATA_PACKET = 0xa0,
       ATA_IDENTIFY_PACKET = 0xa1, ATA_READ_MULTIPLE = 0xc4, ATA_SET_MULTIPLE = 0xc6, ATA_READ_DMA = 0xc8,
       ATA_WRITE_DMA = 0xca, ATA_FLUSH = 0xe7, ATA_IDENTIFY = 0xec };
enum { MASTER_PORT = 0xc000, MASTER_COMMAND = MASTER_PORT, MASTER_STATUS = MASTER_PORT + 2, MASTER_TABLE = MASTER_PORT + 4 };
enum { MASTER_START = 1, MASTER_TO_MEMORY = 8, MASTER_ACTIVE = 1, MASTER_ERROR = 2, MASTER_INTERRUPT = 4 };
struct region { uint32_t address; uint16_t bytes, last; };
enum { REGION_LAST = 0x8000 };

/* Wait until the drive is not busy: the status, by the alternate register, which tells no interrupt off. */
uint8_t ide_wait(void);
/* A command with a sector address of 28 bits. */
void ide_command(uint8_t command, uint32_t lba, uint8_t count);
/* Words of a block. The drive must offer them. */
void ide_read(void *to, unsigned words);
void ide_write(const void *from, unsigned words);
/* Ports of the bus master, and leave for it to reach memory. */
void ide_master_on(void);

#endif
