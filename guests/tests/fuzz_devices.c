/* @title  devices under a guest that does anything
 * @fact   accesses of every width to every port and register, plausible ones and wild ones, malformed tables and DMA to
 *         nowhere do the machine no harm: the guest goes on, and so does its clock
 * @source Intel 82371SB, 82371AB, 82540EM, UHCI 1.1; Realtek RTL8139C data sheets; ATA/ATAPI-6; QEMU, docs/specs (what
 *         is there)
 * @env    hvm64
 * @memory 32
 * @cmdline seed=1 count=20000
 *
 * Moves come in two kinds: single accesses anywhere, and little programs that a driver could have written, with some of
 * their numbers replaced, so that devices get far into their work before the next wild access. `seed=`, `count=` (of
 * accesses) and `only=` (the number of a move) come from the command line. What a move finds missing does not matter.
 */
#include "fuzz_usb.h"

static const unsigned widths[] = { 1, 1, 2, 4 };
static const unsigned memory_widths[] = { 1, 2, 4, 4, 8 };
static uint64_t resets;

/* ---- single accesses ---- */

static unsigned some_port(void)
{
    static const struct { uint16_t first, count; } ports[] = {
        { PIC1, 2 }, { PIC2, 2 }, { PIT, 4 }, { KBC_DATA, 2 }, { KBC, 1 }, { RTC, 2 }, { 0x80, 1 }, { PORT_92, 1 },
        { 0xb2, 2 }, { IDE2, 8 }, { 0x376, 1 }, { IDE1, 8 }, { 0x3f6, 1 }, { VBE, 4 }, { VGA_PORTS, 0x30 },
        { 0x4d0, 2 }, { FW_CFG, 2 }, { FW_CFG_DMA, 8 }, { COM2, 8 }, { COM1 + 1, 7 }, { 0x402, 1 }, { PCI_ADDRESS, 8 },
        { MASTERS, 16 }, { NIC_IO, 8 }, { RTL_IO, 0x80 }, { USB_IO, 0x20 }, { PM_IO, 0x30 }, { 0xafe0, 4 } };
    unsigned i = (unsigned)below(ARRAY_SIZE(ports));

    return one_in(20) ? 0x20 + (unsigned)below(0xfff0) : ports[i].first + (unsigned)below(ports[i].count);
}

static void any_port(void)
{
    unsigned port = some_port(), size = pick(widths);

    if (one_in(30))
        string_in(port, size, one_in(4) ? VGA_WINDOW + below(0x10000) : DATA + below(DATA_BYTES), below(40));
    else if (one_in(2))
        (void)port_in(port, size);
    else if (port > 0x13 || port + size <= 0x10)
        port_out(port, size, (uint32_t)wild());
}

static uint64_t some_memory(void)
{
    static const struct { uint64_t first, size; } places[] = {
        { VGA_WINDOW, 0x20000 }, { VGA_WINDOW, 0x20000 }, { 0xc0000, 0x40000 }, { IOAPIC_BASE, 0x20 },
        { HPET_BASE, 0x168 }, { LAPIC_BASE, 0x400 }, { NIC, 0x5900 }, { NIC, 0x20000 }, { RTL, 0x80 },
        { VGA_REGISTERS, 0x610 }, { FRAME_BUFFER, 0x1000000 }, { NOWHERE, 0x1000 } };
    unsigned i = (unsigned)below(ARRAY_SIZE(places));

    return places[i].first + below(places[i].size) - (one_in(40) ? 4 : 0);
}

static void any_memory(void)
{
    uint64_t address = some_memory() & ~(one_in(3) ? 0ULL : 3ULL);
    bool controller = address - IOAPIC_BASE < 0x1000 || address - LAPIC_BASE < 0x1000;

    if (one_in(6) && !controller)
        memory_mixed(address, wild());
    else if (one_in(2))
        memory_in(address, pick(memory_widths));
    else
        memory_out(address, pick(memory_widths), wild());
}

/* ---- disks ---- */

static const uint8_t disk_commands[] = {
    0x20, 0x20, 0x21, 0x24, 0x25, 0x25, 0x27, 0x29, 0x30, 0x34, 0x35, 0x35, 0x39, 0x40, 0x42, 0x70, 0x90, 0x91, 0xc4,
    0xc5, 0xc6, 0xc8, 0xc8, 0xca, 0xca, 0xe0, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf8, 0x00, 0x08, 0xa0, 0xa1, 0xb0, 0x10 };
static const uint8_t packets[] = { 0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x28, 0x2b, 0x42, 0x43, 0x46, 0x4a,
                                   0x51, 0x52, 0x55, 0x5a, 0xa8, 0xa8, 0xad, 0xbd, 0xbe };

static void task_file(unsigned base, uint8_t command)
{
    port_out(base + 6, 1, (uint32_t)(0xa0 | (one_in(4) ? 0 : 0x40) | below(2) << 4 | (one_in(6) ? below(16) : 0)));
    for (unsigned round = one_in(3) ? 0 : 1; round < 2; round++) {
        port_out(base + 1, 1, one_in(4) ? (uint32_t)wild() : (uint32_t)below(4));
        port_out(base + 2, 1, one_in(5) ? (uint32_t)wild() : (uint32_t)below(5));
        port_out(base + 3, 1, (uint32_t)wild());
        port_out(base + 4, 1, one_in(3) ? (uint32_t)wild() : (uint32_t)below(2));
        port_out(base + 5, 1, one_in(5) ? (uint32_t)wild() : 0);
    }
    port_out(base + IDE_COMMAND, 1, command);
}

static void disk_ready(unsigned base)
{
    for (unsigned i = 0; i < 60 && port_in(base + IDE_CONTROL, 1) & IDE_BSY; i++)
        ;
}

/* Words in or out, as many as there are or some. */
static void disk_words(unsigned base)
{
    for (unsigned block = 0; block < 4 && port_in(base + IDE_CONTROL, 1) & IDE_DRQ; block++) {
        uint64_t at = one_in(5) ? VGA_WINDOW + below(0x8000) : DATA + below(DATA_BYTES);
        uint64_t count = one_in(3) ? below(600) : 256;

        if (one_in(2))
            string_in(base, pick(widths), at, count);
        else
            string_out(base, pick(widths), at, count);
        (void)port_in(base + IDE_COMMAND, 1);
        disk_ready(base);
    }
}

static unsigned channel(void) { return one_in(2) ? IDE1 : IDE2; }

static void disk_pio(void)
{
    unsigned base = channel();

    task_file(base, one_in(12) ? (uint8_t)wild() : pick(disk_commands));
    disk_ready(base);
    disk_words(base);
    if (one_in(20))
        port_out(base + IDE_CONTROL, 1, one_in(2) ? 4 : (uint32_t)below(8));
    if (one_in(2))
        port_out(base + IDE_CONTROL, 1, one_in(4) ? 2 : 0);
}

static void start_master(unsigned base)
{
    unsigned master = MASTERS + (base == IDE2 ? 8 : 0);
    uint32_t *table = (uint32_t *)PRD_TABLES, first = (uint32_t)below(0x10000) & ~7u;

    for (unsigned i = 0, n = 1 + (unsigned)below(5); i < n; i++) {
        unsigned at = (first / 4 + 2 * i) % (0x10000 / 4);

        table[at] = (uint32_t)dma_address();
        table[at + 1] = (one_in(3) ? (uint32_t)wild() & 0xffff : 0x200u << below(4)) |
                        (i + 1 == n && !one_in(8) ? 0x80000000 : 0);
        if (table[at] < 0x100000)
            table[at + 1] = 0x80001000;
    }
    accesses++;
    outl((uint16_t)(master + 4), (uint32_t)PRD_TABLES + first);
    port_out(master + 2, 1, 6);
    port_out(master, 1, one_in(8) ? (uint32_t)wild() : 1 | (uint32_t)below(2) << 3);
}

static void disk_dma(void)
{
    static const uint8_t commands[] = { 0x25, 0x35, 0xc8, 0xc8, 0xca, 0xc9 };
    unsigned base = channel();
    bool early = one_in(3);

    if (early)
        start_master(base);
    task_file(base, pick(commands));
    if (!early)
        start_master(base);
    for (unsigned i = 0; i < below(8); i++)
        (void)port_in(MASTERS + 2 + (base == IDE2 ? 8 : 0), 1);
    if (one_in(3))
        port_out(MASTERS + (base == IDE2 ? 8 : 0), 1, (uint32_t)below(10));
    (void)port_in(base + IDE_COMMAND, 1);
}

static void packet(void)
{
    unsigned base = channel();
    bool dma = one_in(3);

    port_out(base + 6, 1, 0xa0 | (uint32_t)below(2) << 4);
    port_out(base + 1, 1, dma);
    port_out(base + 4, 1, one_in(4) ? (uint32_t)wild() : 0);
    port_out(base + 5, 1, one_in(4) ? (uint32_t)wild() : 8);
    port_out(base + IDE_COMMAND, 1, 0xa0);
    disk_ready(base);
    if (dma && one_in(2))
        start_master(base);
    for (unsigned i = 0; i < 6; i++) {
        uint32_t word = i == 0 ? pick(packets) : i == 2 && one_in(2) ? 3 : 0x100 * (uint32_t)below(2);

        port_out(base, 2, one_in(8) ? (uint32_t)wild() : word);
    }
    disk_ready(base);
    if (dma)
        start_master(base);
    disk_words(base);
}

/* ---- network cards ---- */

static void nic_out(unsigned reg, uint64_t value) { memory_out(NIC + reg, 4, value); }

/* Something that goes for a frame, to everybody or one of us. */
static uint64_t frame(void)
{
    static const uint16_t kinds[] = { 0x0008, 0x0608, 0x0081, 0xdd86, 0x1234 };
    uint64_t at = DATA + below(DATA_BYTES - 2048);

    for (unsigned i = 0; i < 16; i++)
        ((uint32_t *)at)[i] = (uint32_t)random_next(&rng);
    if (one_in(2))
        memset((void *)at, 0xff, 6);
    else
        *(uint8_t *)at &= ~1u;
    *(uint16_t *)(at + 12) = pick(kinds);
    *(uint8_t *)(at + 14) = one_in(4) ? (uint8_t)wild() : 0x45;
    return at;
}

static void nic_transmit(void)
{
    uint32_t count = 8u << below(4), head = (uint32_t)below(count), number = 1 + (uint32_t)below(one_in(6) ? count : 5);
    uint64_t *ring = (uint64_t *)TX_RING;

    for (uint32_t i = 0; i < number; i++) {
        uint64_t *d = ring + 2 * ((head + i) % count), command = below(256);
        uint64_t length = one_in(5) ? wild() & 0xfffff : below(1600);

        d[0] = one_in(4) ? dma_address() : frame();
        d[1] = (one_in(3) ? wild() << 32 : 0) | (command | (one_in(2) ? 9 : 0)) << 24 |
               (one_in(2) ? below(3) << 20 : 0) | (length & 0xffff);
        if (one_in(6))                              /* a context: segments of TCP */
            d[0] = wild(), d[1] = (0x40 + below(1500)) << 48 | below(80) << 40 | 0x24000000 | (length & 0xfffff);
    }
    nic_out(0x3800, one_in(20) ? wild() : 1);
    nic_out(0x3804, one_in(20) ? wild() : 0);
    nic_out(0x3808, one_in(10) ? wild() : 16 * count);
    nic_out(0x3810, one_in(15) ? wild() : head);
    nic_out(0x0100, one_in(3) ? wild() : 0x801e + (below(2) ? 0x40 : 0));
    nic_out(0x0400, one_in(8) ? wild() : 0xa);
    nic_out(0x3818, one_in(12) ? wild() : (head + number) % count);
    memory_in(NIC + 0xc0, 4);
}

static void nic_receive(void)
{
    uint32_t count = 8u << below(3);
    uint64_t *ring = (uint64_t *)RX_RING;

    for (uint32_t i = 0; i < count; i++)
        ring[2 * i] = dma_address(), ring[2 * i + 1] = 0;
    nic_out(0x2800, one_in(20) ? wild() : 1);
    nic_out(0x2804, one_in(20) ? wild() : 0);
    nic_out(0x2808, one_in(10) ? wild() : 16 * count);
    nic_out(0x2810, one_in(10) ? wild() : below(count));
    nic_out(0x2818, one_in(10) ? wild() : below(count));
    nic_out(0x5000, wild());
    nic_out(0x00d0, wild());
    nic_out(0x0100, one_in(3) ? wild() | 2 : 0x801e);
}

static void rtl_transmit(void)
{
    port_out(RTL_IO + 0x37, 1, 0x0c);
    port_out(RTL_IO + 0x40, 4, one_in(3) ? 0x60000 : 0);
    for (unsigned i = 0; i < 4; i++) {
        port_out(RTL_IO + 0x20 + 4 * i, 4, one_in(4) ? (uint32_t)dma_address() : (uint32_t)frame());
        port_out(RTL_IO + 0x10 + 4 * i, 4, one_in(6) ? (uint32_t)wild() : (uint32_t)below(1600));
    }
    (void)port_in(RTL_IO + 0x3e, 2);
}

static void rtl_receive(void)
{
    port_out(RTL_IO + 0x30, 4, one_in(4) ? (uint32_t)dma_address() | NOWHERE : (uint32_t)(DATA + below(DATA_BYTES)));
    port_out(RTL_IO + 0x44, 4, one_in(3) ? (uint32_t)wild() : 0x0f | (uint32_t)below(4) << 11);
    port_out(RTL_IO + 0x38, 2, (uint32_t)wild());
    port_out(RTL_IO + 0x3c, 2, (uint32_t)wild());
    port_out(RTL_IO + 0x37, 1, one_in(10) ? 0x10 : 0x0c);
}

/* ---- the rest ---- */

static void firmware_items(void)
{
    uint32_t *access = (uint32_t *)FW_ACCESS, select = one_in(2) ? (uint32_t)below(0x30) : (uint32_t)wild();

    access[0] = __builtin_bswap32(select << 16 | (one_in(5) ? (uint32_t)wild() : 2u << below(4)) | (one_in(2) ? 8 : 0));
    access[1] = __builtin_bswap32(one_in(4) ? (uint32_t)wild() : (uint32_t)below(5000));
    *(uint64_t *)(access + 2) = __builtin_bswap64(dma_address() | (one_in(3) ? 0 : DATA));
    if (__builtin_bswap64(*(uint64_t *)(access + 2)) < DATA)
        access[1] = __builtin_bswap32(0x1000);
    port_out(FW_CFG, 2, select);
    (void)port_in(FW_CFG + 1, 1);
    port_out(FW_CFG_DMA, 4, one_in(10) ? (uint32_t)wild() : 0);
    port_out(FW_CFG_DMA + 4, 4, one_in(8) ? (uint32_t)wild() : 1);
}

static void picture(void)
{
    static const uint8_t indexed[] = { 0xc4, 0xce, 0xd4, 0xb4 };
    static const uint16_t sizes[] = { 0, 1, 8, 320, 640, 800, 1024, 1280, 0xffff };

    for (unsigned i = 0; i < 6; i++)
        port_out(0x300u + pick(indexed), 2, (uint32_t)(below(26) | below(256) << 8));
    port_out(0x3c2, 1, (uint32_t)below(256) | 2);
    for (unsigned i = 0; one_in(2) && i < 10; i++) {
        port_out(VBE, 2, (uint32_t)below(11));
        port_out(VBE + 2, 2, one_in(2) ? pick(sizes) : one_in(2) ? 1u << below(8) : (uint32_t)wild());
    }
    for (unsigned i = 0; i < 8; i++)
        one_in(2) ? memory_out(VGA_WINDOW + below(0x20000), pick(memory_widths), wild())
                  : memory_in(VGA_WINDOW + below(0x20000), pick(memory_widths));
    port_out(0x3c8, 1, (uint32_t)wild());
    string_out(0x3c9, 1, DATA, 3 * below(20));
}

static void keyboard(void)
{
    static const uint8_t commands[] = { 0x20, 0x60, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0xd0, 0xd2, 0xd3, 0xd4,
                                        0xd4 };
    static const uint8_t told[] = { 0xed, 0xee, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xff, 0xe6, 0xe8, 0xe9, 0xea,
                                    0xeb };

    port_out(KBC, 1, pick(commands));
    port_out(KBC_DATA, 1, one_in(2) ? pick(told) : (uint32_t)wild());
    (void)port_in(KBC_DATA, 1);
    outb(KBC, 0xd1);                                /* the output port: line 20 stays open, and no reset */
    outb(KBC_DATA, (uint8_t)wild() | 3);
}

static void clocks(void)
{
    port_out(PIT + 3, 1, (uint32_t)below(256));
    port_out(PIT + (unsigned)below(3), 1, (uint32_t)wild());
    port_out(RTC, 1, (uint32_t)below(128));
    port_out(RTC + 1, 1, (uint32_t)wild());
    memory_out(HPET_BASE + 0x10, 8, below(4));
    memory_out(HPET_BASE + 0x100 + 0x20 * below(3), 8, wild());
    memory_out(HPET_BASE + 0x108 + 0x20 * below(3), 8, below(2) ? below(100000) : wild());
    memory_out(LAPIC_BASE + LAPIC_LVT_TIMER, 4, 0x20 + below(0xe0) + (below(3) << 17));
    memory_out(LAPIC_BASE + LAPIC_INITIAL, 4, below(2) ? below(100000) : wild());
    memory_out(LAPIC_BASE + LAPIC_ICR, 4, (wild() & ~0xffULL) | 0x40);
    port_out(PM_IO + (unsigned)below(3) * 2, 2, (uint32_t)wild() & ~0x2000u);
}

static void configuration(void)
{
    unsigned function = PCI_FUNCTION(below(8), below(4)), reg = (unsigned)below(64) * 4;
    bool base = reg >= 0x10 && reg < 0x28, pm_base = reg == 0x40 && function == PCI_FUNCTION(1, 3);

    accesses += 2;
    (void)pci_read(function, reg);
    if (!base && !pm_base)                          /* where registers are is for place() to say */
        pci_write(function, reg, (uint32_t)wild() | (reg == 4 && !one_in(4) ? 7 : 0));
}

/* ---- interrupts and time ---- */

static bool on_interrupt(struct regs *regs)
{
    if (regs->vector == X86_EXC_NMI)
        return true;
    outb(PIC2, 0x20);
    outb(PIC1, 0x20);
    lapic_write(LAPIC_EOI, 0);
    regs->flags &= ~(uint64_t)X86_EFLAGS_IF;        /* one at a time: a line may be high for ever */
    return true;
}

static void controllers(void)
{
    static const uint8_t words[] = { 0x11, 0x20, 4, 1, 0x11, 0x28, 2, 1 };

    for (unsigned i = 0; i < 8; i++)
        outb((uint16_t)((i < 4 ? PIC1 : PIC2) + (i % 4 ? 1 : 0)), words[i]);
    for (unsigned reg = 0x320; reg <= 0x370; reg += 0x10)
        lapic_write(reg, (lapic_read(reg) & ~0x8000u) | 0x20);
    lapic_write(LAPIC_SVR, 0x1ff);
}

static void breathe(void)
{
    controllers();
    outb(PIC1 + 1, (uint8_t)wild());
    outb(PIC2 + 1, (uint8_t)wild());
    for (unsigned i = 0; i < 4; i++)
        __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static void pass_time(void)
{
    struct sched_poll poll = { .nr_ports = 0, .timeout = clock_ns() + (1000ULL << below(12)) };

    hcall(sched_op, SCHEDOP_poll, &poll);
}

/* Everything where it belongs, as firmware would have it. */
static void place(void)
{
    static const struct { uint32_t device; uint8_t reg; uint32_t value; } places[] = {
        { 0x70108086, 0x20, MASTERS }, { 0x71138086, 0x40, PM_IO | 1 }, { 0x71138086, 0x80, 1 },
        { 0x100e8086, 0x10, NIC }, { 0x100e8086, 0x14, NIC_IO }, { 0x813910ec, 0x10, RTL_IO }, { 0x813910ec, 0x14, RTL },
        { 0x11111234, 0x10, FRAME_BUFFER }, { 0x11111234, 0x18, VGA_REGISTERS }, { 0x70208086, 0x20, USB_IO } };

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        unsigned function = pci_find(places[i].device);

        if (function == PCI_NONE)
            continue;
        pci_write(function, places[i].reg, places[i].value);
        pci_write(function, 4, 7);
    }
    controllers();
    resets++;
}

static const struct {
    void (*move)(void);
    unsigned often;
} moves[] = {
    { any_port, 40 }, { any_memory, 40 }, { disk_pio, 4 }, { disk_dma, 4 }, { packet, 4 }, { nic_transmit, 3 },
    { nic_receive, 3 }, { rtl_transmit, 3 }, { rtl_receive, 3 }, { firmware_items, 3 }, { picture, 4 }, { keyboard, 3 },
    { clocks, 2 }, { configuration, 4 }, { breathe, 2 }, { pass_time, 2 },
    { usb, 8 },
};

static void one_move(uint64_t only)
{
    unsigned total = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(moves); i++)
        total += moves[i].often;
    for (unsigned i = 0, at = (unsigned)below(total); i < ARRAY_SIZE(moves); at -= moves[i++].often)
        if (at < moves[i].often) {
            if (only == ~0ULL || only == i)
                moves[i].move();
            return;
        }
}

void test_main(void)
{
    uint64_t count = guest_option("count", 20000), only = guest_option("only", ~0ULL), start = clock_ns();

    rng.state = guest_option("seed", 1);
    irq_disable();
    usb_lists();
    for (unsigned vector = 0; vector < 256; vector++)
        if (vector >= 32 || vector == X86_EXC_NMI)
            trap_set_handler(vector, on_interrupt);
    for (uint64_t n = 0; accesses < count; n++) {
        if (n % 500 == 0)
            place();
        one_move(only);
    }
    controllers();
    check(resets > 0 && clock_ns() > start);
    printf("\n%lu accesses\n", (unsigned long)accesses);
}
