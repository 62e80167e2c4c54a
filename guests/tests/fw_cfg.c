/* @title  the firmware configuration device
 * @fact   items by number, files by name; the data port gives an item byte by byte and zeros behind its end; one DMA access
 *         selects, skips and reads, and says whether it could
 * @source QEMU, docs/specs/fw_cfg.rst
 * @env    hvm64
 * @vcpus  3
 */
#include <guest.h>
#include <pc.h>

enum { SIGNATURE = 0, ID = 1, RAM_SIZE = 3, CPUS = 5, DIRECTORY = 0x19, FILES = 0x20 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16, MOST = 128, PC_MEMORY = 16 << 20 };

struct file { uint32_t size; uint16_t select, reserved; char name[56]; };
static struct { uint32_t control, length; uint64_t address; } access;
static struct { uint32_t count; struct file file[MOST]; } directory;
static uint8_t by_port[4096], by_dma[4096 + 16];

static uint32_t swap(uint32_t v) { return __builtin_bswap32(v); }

static uint32_t dma(uint32_t control, uint32_t length, const void *to)
{
    access.control = swap(control);
    access.length = swap(length);
    access.address = __builtin_bswap64((uint64_t)(unsigned long)to);
    outl(FW_CFG_DMA, 0);
    outl(FW_CFG_DMA + 4, swap((uint32_t)(unsigned long)&access));
    return swap(READ_ONCE(access.control));
}

static void files(void)
{
    bool found = false;

    fw_cfg_read(DIRECTORY, &directory, sizeof(directory));
    uint32_t count = swap(directory.count);

    require(count > 3 && count < MOST);
    for (unsigned i = 0; i < count; i++) {
        struct file *f = &directory.file[i];
        uint32_t size = swap(f->size), part = size < sizeof(by_port) ? size : (uint32_t)sizeof(by_port);
        unsigned select = (f->select >> 8 | f->select << 8) & 0xffff;

        check(select >= FILES);
        check(i == 0 || strcmp(f[-1].name, f->name) < 0);
        found |= strcmp(f->name, "etc/e820") == 0;
        fw_cfg_read((uint16_t)select, by_port, part);
        check_eq(dma(select << 16 | DMA_SELECT | DMA_READ, part, by_dma), 0);
        check(memcmp(by_port, by_dma, part) == 0);
        if (size < 64)
            continue;
        check_eq(dma(select << 16 | DMA_SELECT | DMA_SKIP, 20, NULL), 0);
        check_eq(dma(DMA_READ, 20, by_dma), 0);           /* it goes on where it was */
        check(memcmp(by_port + 20, by_dma, 20) == 0);
        check_eq(inb(FW_CFG + 1), by_port[40]);
    }
    check(found);
}

void test_main(void)
{
    char text[8];
    uint32_t id;
    uint64_t memory;
    uint16_t cpus;

    fw_cfg_read(SIGNATURE, text, sizeof(text));
    check(memcmp(text, "QEMU\0\0\0\0", 8) == 0);          /* zeros behind the end */
    fw_cfg_read(ID, &id, sizeof(id));
    require_eq(id & 3, 3);                                /* ports and DMA */
    check_eq(inl(FW_CFG_DMA), 0x554d4551);                /* "QEMU CFG" */
    check_eq(inl(FW_CFG_DMA + 4), 0x47464320);
    fw_cfg_read(RAM_SIZE, &memory, sizeof(memory));
    check_eq(memory, PC_MEMORY);
    fw_cfg_read(CPUS, &cpus, sizeof(cpus));
    check_eq(cpus, 3);
    outw(FW_CFG, 0x3fff);                                 /* nothing has this number */
    check_eq(inb(FW_CFG + 1), 0);
    files();

    memset(by_dma, 0x5a, sizeof(by_dma));
    check_eq(dma(SIGNATURE << 16 | DMA_SELECT | DMA_READ, 8, by_dma), 0);
    check(memcmp(by_dma, "QEMU\0\0\0\0\x5a", 9) == 0);
    check_eq(dma(ID << 16 | DMA_SELECT | DMA_WRITE, 4, by_dma), DMA_ERROR);
    fw_cfg_read(ID, &id, sizeof(id));
    check_eq(id & 3, 3);
}
