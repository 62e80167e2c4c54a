/* fuzz_devices.h - how fuzz_devices.c reaches devices: every width and kind of access, counted, and kept from killing
 * the guest itself.
 *
 * A device that was told so writes wherever the guest's memory is, the guest's own code too. So pointers that devices
 * keep lead to memory set apart, or to where no RAM is: each kind of table has a place that only the guest writes to,
 * and what devices write goes to DATA or to nowhere. The same of what switches the machine off.
 */
#ifndef FUZZ_DEVICES_H
#define FUZZ_DEVICES_H
#include <guest.h>
#include <pc.h>
#include <random.h>

/* Guest-physical: the tables, with nothing but zeros for a MiB and more behind each, and the place for data. */
#define PRD_TABLES 0x800000UL
#define FW_ACCESS 0x900000UL
#define TX_RING 0xa00000UL
#define RX_RING 0xc00000UL
#define DATA 0x1000000UL
#define DATA_BYTES 0x400000UL
#define USB_FRAME_LISTS 0x1800000UL
#define USB_TRANSFERS 0x1900000UL
#define USB_QUEUES 0x1a00000UL
#define RAM_END 0x2000000UL             /* @memory 32 */
#define NOWHERE 0x80000000UL

/* Where this guest puts what firmware would have placed. */
#define MASTERS 0xc000
#define NIC_IO 0xc040
#define RTL_IO 0xc100
#define USB_IO 0xc200
#define PM_IO 0xb000
#define NIC 0xfebc0000UL
#define RTL 0xfebe0000UL
#define VGA_REGISTERS 0xfebf0000UL
#define FRAME_BUFFER 0xe0000000UL

static struct random rng;
static uint64_t accesses;

#define below(n) random_below(&rng, n)
#define one_in(n) (below(n) == 0)
#define pick(table) (table)[below(ARRAY_SIZE(table))]

/* A number at an edge, or one of any size. */
static uint64_t wild(void)
{
    static const uint64_t edges[] = { 0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x7fff, 0xffff, 0x10000,
                                      0x7fffffff, 0x80000000, 0xffffffff, 0x8000000000000000, ~0ULL };

    return one_in(3) ? pick(edges) : random_next(&rng) >> below(64);
}

/* Where a device may read and write: data, or somewhere that may be no memory at all. */
static uint64_t dma_address(void)
{
    static const uint64_t strange[] = {
        RAM_END - 100, RAM_END, NOWHERE, VGA_WINDOW, 0xbfff8, 0xc0000, 0xf0000, 0xfb000, FRAME_BUFFER,
        FRAME_BUFFER + 0xfffffe, 0xfebc0000, 0xfec00000, 0xfed00000, 0xfee00300, 0xfffffff0, 0xffffffff, 0x100000000,
        1ULL << 39, 1ULL << 40, 0x7ffffffffffffff8, 0xfffffffffffffff0 };

    return one_in(3) ? pick(strange) : DATA + below(DATA_BYTES);
}

/* ---- what must not be written as it is ---- */

static uint8_t tame_port_byte(unsigned port, uint8_t value)
{
    switch (port) {
    case KBC: return value >= 0xf0 || value == 0xd1 || value == 0xdd ? 0xaa : value;     /* reset, address line 20 */
    case PORT_92: return (uint8_t)((value & ~1u) | 2);
    case RESET_CONTROL: return value & ~4u;
    case PM_IO + 5: return value & ~0x20u;                                               /* sleep */
    case MASTERS + 6: case MASTERS + 14: return PRD_TABLES >> 16 & 0xff;
    case MASTERS + 7: case MASTERS + 15: return value & 1 ? 0 : value | 0x80;
    case USB_IO + 10: return USB_FRAME_LISTS >> 16 & 0xff;                               /* the frame list */
    case USB_IO + 11: return value & 1 ? value | 0x80 : USB_FRAME_LISTS >> 24;
    case RTL_IO + 0x33: return value ? value : 1;                                        /* the receive ring */
    default: return value;
    }
}

/* The ring of a network card: at its place, or nowhere. */
static uint32_t tame_ring(uint64_t ring, uint32_t value)
{
    return value & 1 ? (uint32_t)ring + (value & 0xfff0) : value | NOWHERE;
}

static uint32_t tame_nic(unsigned reg, uint32_t value)
{
    return reg == 0x2800 ? tame_ring(RX_RING, value) : reg == 0x3800 ? tame_ring(TX_RING, value) : value;
}

static uint64_t tame_memory(uint64_t address, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        uint64_t at = address + i, shift = 8 * i;

        if (at == IOAPIC_BASE + 0x10 || (at - LAPIC_BASE - LAPIC_ICR < 0x80 && !(at & 15)))
            value |= 0x20ULL << shift;                                                   /* no vector of an exception */
        if (at == RTL + 0x33 && !(value >> shift & 0xff))
            value |= 1ULL << shift;
        if (at - NIC < 0x20000 && !(at & 3) && i + 4 <= size) {
            uint64_t good = tame_nic((unsigned)(at - NIC), (uint32_t)(value >> shift));

            value = (value & ~(0xffffffffULL << shift)) | good << shift;
        }
    }
    if (address - IOAPIC_BASE < 0x1000 && (value >> 8 & 7) == 5)                         /* INIT */
        value ^= 0x100;
    return value;
}

/* ---- ports ---- */

static uint32_t port_in(unsigned port, unsigned size)
{
    accesses++;
    return size == 1 ? inb((uint16_t)port) : size == 2 ? inw((uint16_t)port) : inl((uint16_t)port);
}

static void port_out(unsigned port, unsigned size, uint32_t value)
{
    static uint32_t nic_register;

    for (unsigned i = 0; i < size; i++) {
        uint32_t byte = tame_port_byte(port + i, (uint8_t)(value >> 8 * i));

        value = (value & ~(0xffu << 8 * i)) | byte << 8 * i;
    }
    if (port + size > PCI_DATA && port < PCI_DATA + 4)        /* not to any register of any device */
        outl(PCI_ADDRESS, (uint32_t)wild() & 0x7fffffff);
    if (port == NIC_IO)
        nic_register = value;
    if (port == NIC_IO + 4 && size == 4)
        value = tame_nic(nic_register, value);
    if (port == FW_CFG_DMA + 4 && size == 4)
        value = value & 1 ? __builtin_bswap32((uint32_t)FW_ACCESS) : value | 0x80;
    accesses++;
    if (size == 1)
        outb((uint16_t)port, (uint8_t)value);
    else if (size == 2)
        outw((uint16_t)port, (uint16_t)value);
    else
        outl((uint16_t)port, value);
}

#define STRING_IN(letter) \
    __asm__ volatile("rep ins" letter : "+D"(at), "+c"(count) : "d"(port) : "memory")
#define STRING_OUT(letter) \
    __asm__ volatile("rep outs" letter : "+S"(at), "+c"(count) : "d"(port) : "memory")

/* `rep ins` to memory, a device's too. */
static void string_in(unsigned port, unsigned size, uint64_t at, uint64_t count)
{
    accesses += count;
    if (size == 1)
        STRING_IN("b");
    else if (size == 2)
        STRING_IN("w");
    else
        STRING_IN("l");
}

static void string_out(unsigned port, unsigned size, uint64_t at, uint64_t count)
{
    accesses += count;
    if (size == 1)
        STRING_OUT("b");
    else if (size == 2)
        STRING_OUT("w");
    else
        STRING_OUT("l");
}

/* ---- memory ---- */

static void memory_in(uint64_t address, unsigned size)
{
    accesses++;
    switch (size) {
    case 1: (void)*(volatile uint8_t *)address; break;
    case 2: (void)*(volatile uint16_t *)address; break;
    case 4: (void)*(volatile uint32_t *)address; break;
    default: (void)*(volatile uint64_t *)address; break;
    }
}

static void memory_out(uint64_t address, unsigned size, uint64_t value)
{
    value = tame_memory(address, size, value);
    accesses++;
    switch (size) {
    case 1: *(volatile uint8_t *)address = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)address = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)address = (uint32_t)value; break;
    default: *(volatile uint64_t *)address = value; break;
    }
}

/* What is more than one load or store. Values are such that rings they end up in lie nowhere. */
static void memory_mixed(uint64_t address, uint64_t value)
{
    uint64_t to = DATA + below(DATA_BYTES), count = 1 + below(16);
    uint32_t high = (uint32_t)value | NOWHERE | 0x01010101;

    accesses += 2;
    switch (below(8)) {
    case 0: __asm__ volatile("lock orl %1, (%0)" : : "r"(address), "r"(high) : "memory"); break;
    case 1: __asm__ volatile("addb $0, (%0)" : : "r"(address) : "memory"); break;
    case 2: __asm__ volatile("xchgl %1, (%0)" : : "r"(address), "r"(high) : "memory"); break;
    case 3: __asm__ volatile("rep movsb" : "+S"(address), "+D"(to), "+c"(count) : : "memory"); break;
    case 4: __asm__ volatile("rep movsl" : "+S"(address), "+D"(to), "+c"(count) : : "memory"); break;
    case 5: __asm__ volatile("rep stosl" : "+D"(address), "+c"(count) : "a"(high) : "memory"); break;
    case 6: __asm__ volatile("movups (%0), %%xmm0\n\tmovups %%xmm0, (%1)" : : "r"(address), "r"(to) : "memory"); break;
    default: __asm__ volatile("fxsave (%0)" : : "r"(VGA_WINDOW + (address & 0xfff0)) : "memory"); break;
    }
}

#endif
