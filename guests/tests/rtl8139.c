/* @title  RTL8139: loopback, ring, filters, timer
 * @fact   four descriptors are sent in turn; frames lie in the receive ring behind their status and length, with a right CRC;
 *         pointers say what is read; a full ring is told; configuration is locked; the timer counts PCI clocks
 * @source Realtek RTL8139C(L) data sheet, 5 (registers: CR, TSD, TSAD, CAPR, CBR, ISR, TCR, RCR, TimerInt, 9346CR), 6.1 (receive
 *         ring)
 * @env    hvm64
 * @nic    nat rtl8139
 */
#include <guest.h>
#include <frames.h>
#include <irq.h>
#include <pc.h>

enum { PORT = 0xc100, IRQ = 10, RING = 8192, MTU = 1500 };
enum { IDR = PORT, TSD = PORT + 0x10, TSA = PORT + 0x20, RBSTART = PORT + 0x30, CR = PORT + 0x37, CAPR = PORT + 0x38, CBR = PORT + 0x3a,
       IMR = PORT + 0x3c, ISR = PORT + 0x3e, TCR = PORT + 0x40, RCR = PORT + 0x44, TCTR = PORT + 0x48, MPC = PORT + 0x4c,
       CR9346 = PORT + 0x50, TIMER = PORT + 0x54, MSR = PORT + 0x58, TSAD = PORT + 0x60 };
enum { EMPTY = 1, TX_ON = 4, RX_ON = 8, RESET = 0x10, OWN = 0x2000, TX_DONE = 0x8000, LOOP = 3 << 17, UNLOCKED = 0xc0 };
enum { ROK = 1, TOK = 4, OVERFLOW = 0x10, TIMEOUT = 0x4000, EVERYBODY = 1, MATCH = 2, BROADCAST = 8 };
enum { GOOD = 1, TO_BROADCAST = 0x2000, TO_US = 0x4000, LEAST = 60, CRC = 4, HEADER = 4 };

static uint8_t ring[RING + 16 + MTU] __attribute__((aligned(16))), frame[2048] __attribute__((aligned(16))), own[6], gateway[6];
static unsigned next, at;

static bool line(void) { return pic_requests() >> IRQ & 1; }

static void begin(uint32_t rcr, uint32_t tcr)
{
    outb(CR, RESET);
    for (unsigned turns = 0; inb(CR) & RESET; turns++)
        require(turns < 1000);
    outl(RBSTART, (uint32_t)(unsigned long)ring);
    outb(CR, TX_ON | RX_ON);
    outl(RCR, rcr);
    outl(TCR, tcr);
    outw(IMR, 0);
    outw(ISR, 0xffff);
    next = at = 0;
    check_eq(inb(CR), TX_ON | RX_ON | EMPTY);
}

static void send(unsigned length)
{
    uint16_t status = (uint16_t)(TSD + 4 * next);

    check_eq(inl(status) & OWN, OWN);
    outl((uint16_t)(TSA + 4 * next), (uint32_t)(unsigned long)frame);
    outl(status, length);
    for (unsigned turns = 0; !(inl(status) & TX_DONE); turns++) {
        require(turns < 100);
        apic_sleep(10000);
    }
    check_eq(inl(status) & (OWN | 0x1fff), OWN | length);
    check_eq(inw(TSAD) >> next & 0x1001, 0x1001);
    next = (next + 1) % 4;
}

static uint32_t crc(const uint8_t *bytes, unsigned length)
{
    uint32_t value = ~0u;

    for (unsigned i = 0; i < length; i++) {
        value ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
    }
    return ~value;
}

static uint8_t byte(unsigned offset) { return *(volatile uint8_t *)(ring + (at + offset) % RING); }

/* The frame that is next in the ring: its status, or 0; it is copied to `frame`, and read. */
static unsigned receive(unsigned *length)
{
    unsigned status;

    for (unsigned turns = 0; turns < 20 && inb(CR) & EMPTY; turns++)
        apic_sleep(10000);
    if (inb(CR) & EMPTY)
        return 0;
    status = byte(0) | (unsigned)byte(1) << 8;
    *length = (byte(2) | (unsigned)byte(3) << 8) - CRC;
    require(*length < sizeof(frame));
    for (unsigned i = 0; i < *length + CRC; i++)
        frame[i] = byte(HEADER + i);
    uint32_t sum = crc(frame, *length);

    check(memcmp(&sum, frame + *length, CRC) == 0);
    at = (at + HEADER + *length + CRC + 3) / 4 * 4 % RING;
    outw(CAPR, (uint16_t)(at - 16));
    return status;
}

static void locked(void)
{
    for (unsigned i = 0; i < 6; i++)
        own[i] = inb((uint16_t)(IDR + i));
    outl(IDR, 0x12345678);
    check_eq(inb(IDR), own[0]);
    outb(CR9346, UNLOCKED);
    outl(IDR, 0x12345678);
    check_eq(inb(IDR), 0x78);
    outb(CR9346, 0x40);                    /* the EEPROM is loaded again */
    check_eq(inb(IDR), own[0]);
    check_eq(inb(CR9346) & 0xc0, 0);
    check_eq(inl(TCR) & 0x7c000000, 0x74000000);          /* an RTL8139C */
    check_eq(inb(MSR) & 4, 0);             /* there is a link */
}

static void looped(void)
{
    unsigned length = 0;

    begin(MATCH, LOOP);
    outw(IMR, ROK | TOK);
    for (unsigned i = 0; i < 20; i++) {    /* around the ring, and over its end */
        unsigned bytes = 700 + 31 * i;

        for (unsigned j = 0; j < bytes; j++)
            frame[j] = (uint8_t)(i + j);
        memcpy(frame, own, 6);
        send(bytes);
        check(line());
        check_eq(inw(ISR) & (ROK | TOK), ROK | TOK);
        outw(ISR, ROK | TOK);
        check(!line());
        require_eq(receive(&length), GOOD | TO_US);
        check_eq(length, bytes);
        check_eq(frame[bytes - 1], (uint8_t)(i + bytes - 1));
        check_eq(inw(CBR), at);
        check_eq(inb(CR) & EMPTY, EMPTY);
    }
    memcpy(frame, own, 6);
    send(20);
    require_eq(receive(&length), GOOD | TO_US);
    check_eq(length, LEAST);               /* filled up */

    memset(frame, 0xff, 6);
    send(LEAST);
    check_eq(receive(&length), 0);
    outl(RCR, MATCH | BROADCAST);
    memset(frame, 0xff, 6);
    send(LEAST);
    check_eq(receive(&length), GOOD | TO_BROADCAST);
    memcpy(frame, own, 6);
    frame[5] ^= 1;
    send(LEAST);
    check_eq(receive(&length), 0);
    outl(RCR, EVERYBODY);
    frame[5] = own[5] ^ 1;
    send(LEAST);
    check_eq(receive(&length) & (GOOD | TO_US), GOOD);
}

static void overflow(void)
{
    unsigned length, got = 0;

    begin(MATCH, LOOP);
    for (unsigned i = 0; i < 7; i++) {
        memcpy(frame, own, 6);
        send(MTU);
    }
    check_eq(inw(ISR) & OVERFLOW, OVERFLOW);
    check_eq(inl(MPC), 2);                 /* five have room, two are missed */
    while (receive(&length) == (GOOD | TO_US))
        got++;
    check_eq(got, 5);
    outl(MPC, 0);
    check_eq(inl(MPC), 0);
    outw(ISR, OVERFLOW | ROK);
    memcpy(frame, own, 6);
    send(LEAST);
    check_eq(receive(&length), GOOD | TO_US);
}

static void timer(void)
{
    outl(TCTR, 0);                         /* whatever is written: it begins again */
    uint32_t first = inl(TCTR);

    apic_sleep(1000000);
    uint32_t counted = inl(TCTR) - first;

    check(counted > 32500 && counted < 34500);            /* of 33 MHz */
    outw(IMR, TIMEOUT);
    outl(TIMER, 100000);
    outl(TCTR, 0);
    apic_sleep(2900000);
    check(!line());
    apic_sleep(200000);
    check(line());
    check_eq(inw(ISR) & TIMEOUT, TIMEOUT);
    outl(TIMER, 0);
    outw(ISR, TIMEOUT);
    check(!line());
}

static void wire(void)
{
    unsigned length;

    begin(MATCH | BROADCAST, 0);
    frame_arp(frame, own);
    send(FRAME_ARP_BYTES);
    require_eq(receive(&length), GOOD | TO_US);
    check(frame_arp_answer(frame, length, own, gateway));
    length = frame_ping(frame, own, gateway, 200);
    send(length);
    require_eq(receive(&length), GOOD | TO_US);
    check_eq(length, FRAME_IP_BYTES + 200);
    check_eq(frame[34], 0);
}

void test_main(void)
{
    unsigned nic = pci_find(0x813910ec);

    require(nic != PCI_NONE);
    pci_write(nic, 0x10, PORT);
    pci_write(nic, 4, 5);
    pic_init(ICW4_8086);
    pci_links_to(IRQ);
    locked();
    looped();
    overflow();
    timer();
    wire();
}
