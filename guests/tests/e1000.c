/* @title  e1000: rings, interrupts, filters, checksums
 * @fact   descriptors go out and come back done, frames come into buffers with length and status; causes add up until they
 *         are read and interrupt as the mask says; addresses are compared; checksums are put in and looked at
 * @source Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (317453): 3.2, 3.3, 5.6, 8.5.1,
 *         13.4.12, 13.4.17 to 13.4.21, 13.5.1 to 13.5.2
 * @env    hvm64
 * @nic    nat
 */
#include <guest.h>
#include <frames.h>
#include <irq.h>
#include <pc.h>

enum { REGISTERS = 0xfebc0000, IRQ = 11, RING = 8, BUFFER = 2048 };
enum { CTRL = 0, STATUS = 8, EERD = 0x14, MDIC = 0x20, ICR = 0xc0, ICS = 0xc8, IMS = 0xd0, IMC = 0xd8, RCTL = 0x100,
       TCTL = 0x400, RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810,
       TDT = 0x3818, GOOD_RX = 0x4074, GOOD_TX = 0x4080, RXCSUM = 0x5000, RAL = 0x5400, RAH = 0x5404 };
enum { RESET = 1 << 26, LINK_UP = 2, TXDW = 1, LSC = 4, RXO = 0x40, RXT0 = 0x80, ALL = 0x1ffff };
enum { RX_ON = 2, EVERYBODY = 8, BROADCAST = 0x8000, STRIP_CRC = 1 << 26, TX_ON = 2, PAD = 8, IP_SUM = 0x100, TCP_SUM = 0x200 };
enum { EOP = 1, IFCS = 2, SUM = 4, REPORT = 8, DONE = 1, END = 2, IP_CHECKED = 0x40, CRC = 4, LEAST = 60 };

struct tx { uint64_t address; uint16_t length; uint8_t sum_at, command, status, sum_from; uint16_t special; };
struct rx { uint64_t address; uint16_t length, sum; uint8_t status, errors; uint16_t special; };
static volatile struct tx tx[RING] __attribute__((aligned(128)));
static volatile struct rx rx[RING] __attribute__((aligned(128)));
static uint8_t frame[BUFFER], buffers[RING][BUFFER], own[6], gateway[6];
static unsigned tail, seen;

static uint32_t get(unsigned reg) { return *(volatile uint32_t *)(REGISTERS + (unsigned long)reg); }
static void put(unsigned reg, uint32_t value) { *(volatile uint32_t *)(REGISTERS + (unsigned long)reg) = value; }
static bool line(void) { return pic_requests() >> IRQ & 1; }

static unsigned eeprom(unsigned word)
{
    put(EERD, word << 8 | 1);
    for (unsigned turns = 0; !(get(EERD) & 0x10); turns++)
        require(turns < 1000);
    return get(EERD) >> 16;
}

static void identity(void)
{
    unsigned sum = 0;

    check_eq(get(STATUS) & LINK_UP, LINK_UP);
    for (unsigned i = 0; i < 64; i++)
        sum += eeprom(i);
    check_eq(sum & 0xffff, 0xbaba);
    for (unsigned i = 0; i < 3; i++) {
        own[2 * i] = (uint8_t)eeprom(i);
        own[2 * i + 1] = (uint8_t)(eeprom(i) >> 8);
    }
    check_eq(get(RAL), own[0] | own[1] << 8 | own[2] << 16 | (uint32_t)own[3] << 24);
    check_eq(get(RAH), 0x80000000u | own[4] | own[5] << 8);
    put(MDIC, 2u << 26 | 1 << 21 | 2 << 16);              /* read the transceiver's register 2 */
    for (unsigned turns = 0; !(get(MDIC) & 1 << 28); turns++)
        require(turns < 1000);
    check_eq(get(MDIC) & 0xffff, 0x0141);
}

static void causes(void)
{
    put(IMC, ALL);
    get(ICR);
    put(ICS, LSC | RXO);
    check(!line());
    check_eq(get(ICR) & (LSC | RXO), LSC | RXO);
    check_eq(get(ICR), 0);
    put(IMS, LSC);
    check_eq(get(IMS), LSC);
    put(ICS, RXO);
    check(!line());
    put(ICS, LSC);
    check(line());
    put(IMC, LSC);
    check(!line());
    put(IMS, LSC);
    check(line());
    put(ICR, LSC);                                        /* ones clear as well */
    check(!line());
    check_eq(get(ICR) & (LSC | RXO), RXO);
    put(IMC, ALL);
}

static void rings(void)
{
    for (unsigned i = 0; i < RING; i++)
        rx[i].address = (uint64_t)(unsigned long)buffers[i];
    put(RDBAL, (uint32_t)(unsigned long)rx);
    put(RDBAL + 4, 0);
    put(RDLEN, sizeof(rx));
    put(RDH, 0);
    put(RDT, RING - 1);
    put(TDBAL, (uint32_t)(unsigned long)tx);
    put(TDBAL + 4, 0);
    put(TDLEN, sizeof(tx));
    put(TDH, 0);
    put(TDT, 0);
    put(RCTL, RX_ON | BROADCAST);
    put(TCTL, TX_ON | PAD);
}

static void send(unsigned length, uint8_t command, uint8_t sum_from, uint8_t sum_at)
{
    unsigned at = tail;

    tx[at] = (struct tx){ .address = (uint64_t)(unsigned long)frame, .length = (uint16_t)length, .sum_from = sum_from,
                          .sum_at = sum_at, .command = (uint8_t)(command | EOP | IFCS | REPORT) };
    tail = (tail + 1) % RING;
    put(TDT, tail);
    for (unsigned turns = 0; !(tx[at].status & DONE); turns++) {
        require(turns < 100);
        apic_sleep(10000);
    }
    check_eq(get(TDH), tail);
}

/* The next frame that comes, given back to the card; NULL: none does. */
static const uint8_t *receive(struct rx *about)
{
    unsigned at = seen;

    for (unsigned turns = 0; turns < 20 && !(rx[at].status & DONE); turns++)
        apic_sleep(10000);
    if (!(rx[at].status & DONE))
        return NULL;
    *about = rx[at];
    rx[at].status = 0;
    put(RDT, at);
    seen = (seen + 1) % RING;
    return buffers[at];
}

static void ask(void)
{
    frame_arp(frame, own);
    send(FRAME_ARP_BYTES, 0, 0, 0);
}

static void conversation(void)
{
    struct rx about;

    get(GOOD_TX);
    get(GOOD_RX);
    put(IMS, TXDW | RXT0);
    ask();
    const uint8_t *answer = receive(&about);

    require(answer != NULL);
    check(line());
    check_eq(get(ICR) & (TXDW | RXT0), TXDW | RXT0);
    check(!line());
    check_eq(about.status & (DONE | END), DONE | END);
    check_eq(about.length, LEAST + CRC);
    check_eq(about.errors, 0);
    require(frame_arp_answer(answer, about.length, own, gateway));
    check_eq(get(RDH), 1);
    check_eq(get(GOOD_TX), 1);
    check_eq(get(GOOD_RX), 1);
    check_eq(get(GOOD_RX), 0);                            /* reading clears it */
    put(RCTL, RX_ON | BROADCAST | STRIP_CRC);
    ask();
    require(receive(&about) != NULL);
    check_eq(about.length, LEAST);
    put(IMC, ALL);
}

static void filters(void)
{
    struct rx about;

    put(RAL, get(RAL) ^ 0x100);
    ask();
    check(receive(&about) == NULL);
    put(RCTL, RX_ON | BROADCAST | EVERYBODY);
    ask();
    check(receive(&about) != NULL);
    put(RCTL, RX_ON | BROADCAST);
    put(RAL, get(RAL) ^ 0x100);
    put(RAH, get(RAH) & 0x7fffffff);                      /* not valid */
    ask();
    check(receive(&about) == NULL);
    put(RAH, get(RAH) | 0x80000000);
    ask();
    check(receive(&about) != NULL);
}

static void checksums(void)
{
    enum { PAYLOAD = 64 };
    struct rx about;
    unsigned length = frame_ping(frame, own, gateway, PAYLOAD);
    uint8_t good[2] = { frame[36], frame[37] };

    frame[36] ^= 0x55;                                    /* nobody answers to a wrong one */
    send(length, 0, 0, 0);
    check(receive(&about) == NULL);
    frame[36] = frame[37] = 0;
    put(RXCSUM, IP_SUM | TCP_SUM);
    send(length, SUM, FRAME_IP_BYTES, 36);
    const uint8_t *answer = receive(&about);

    require(answer != NULL);
    check_eq(answer[34], 0);
    check(memcmp(answer + 38, frame + 38, PAYLOAD - 4) == 0);
    check_eq(about.status & IP_CHECKED, IP_CHECKED);
    check_eq(about.errors, 0);
    frame[36] = good[0];
    frame[37] = good[1];
    /* The same in two pieces. */
    tx[tail] = (struct tx){ .address = (uint64_t)(unsigned long)frame, .length = 50, .command = IFCS };
    tx[(tail + 1) % RING] = (struct tx){ .address = (uint64_t)(unsigned long)frame + 50, .length = (uint16_t)(length - 50),
                                         .command = EOP | IFCS | REPORT };
    tail = (tail + 2) % RING;
    put(TDT, tail);
    check(receive(&about) != NULL);
}

/* No descriptor is free: nothing is written, and reception goes on when there is one. */
static void full(void)
{
    struct rx about;
    unsigned head = get(RDH);
    uint8_t mark = buffers[head][0];

    put(RDT, head);
    ask();
    buffers[head][0] = (uint8_t)~mark;
    check(receive(&about) == NULL);
    check_eq(get(RDH), head);
    check_eq(buffers[head][0], (uint8_t)~mark);
    put(RDT, (head + RING - 1) % RING);
    ask();
    check(receive(&about) != NULL);
    check_eq(buffers[head][0], own[0]);
}

void test_main(void)
{
    unsigned nic = pci_find(0x100e8086);

    require(nic != PCI_NONE);
    pci_write(nic, 0x10, REGISTERS);
    pci_write(nic, 4, 6);
    pic_init(ICW4_8086);
    pci_links_to(IRQ);
    put(CTRL, RESET);
    check_eq(get(CTRL) & RESET, 0);
    identity();
    causes();
    rings();
    conversation();
    filters();
    checksums();
    full();
}
