/* @title  16550: loopback, FIFOs, interrupts
 * @fact   what is sent in loopback is received; FIFOs hold 16 bytes, ask at their trigger level or after four characters'
 *         time; causes of interrupts come by rank, each with its own end; the modem lines go around
 * @source National Semiconductor PC16550D data sheet, 8.1 to 8.9 (registers), 8.4 (FIFO interrupt mode), table IV
 * @env    hvm64 hvm32
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { DATA = COM2, ENABLE = COM2 + 1, CAUSE = COM2 + 2, LINE_CONTROL = COM2 + 3, MODEM_CONTROL = COM2 + 4,
       LINE = COM2 + 5, MODEM = COM2 + 6, SCRATCH = COM2 + 7, IRQ = 3, VECTOR = 0x49 };
enum { FIFO_ON = 1, CLEAR = 6, TRIGGER_8 = 0x80, DIVISOR = 0x80, EIGHT_BITS = 3, LOOP = 0x10, OUT2 = 8 };
enum { ON_DATA = 1, ON_EMPTY = 2, ON_LINE = 4, ON_MODEM = 8 };
enum { NOTHING = 1, IS_MODEM = 0, IS_EMPTY = 2, IS_DATA = 4, IS_LINE = 6, IS_TIMEOUT = 12, FIFOS = 0xc0 };
enum { READY = 1, OVERRUN = 2, HOLDING_EMPTY = 0x20, EMPTY = 0x40 };

static unsigned cause(void) { return inb(CAUSE) & 0xfu; }

static void registers(void)
{
    outb(LINE_CONTROL, DIVISOR | EIGHT_BITS);
    outb(DATA, 0x34);
    outb(ENABLE, 0x12);
    check_eq(inb(DATA), 0x34);
    check_eq(inb(ENABLE), 0x12);
    outb(DATA, 1);                         /* 115200 baud */
    outb(ENABLE, 0);
    outb(LINE_CONTROL, EIGHT_BITS);
    check_eq(inb(LINE_CONTROL), EIGHT_BITS);
    outb(ENABLE, 0xff);
    check_eq(inb(ENABLE), 0x0f);
    outb(ENABLE, 0);
    outb(SCRATCH, 0xa5);
    check_eq(inb(SCRATCH), 0xa5);
    check_eq(inb(LINE) & (HOLDING_EMPTY | EMPTY), HOLDING_EMPTY | EMPTY);
}

static void modem_lines(void)
{
    static const struct { uint8_t out, in; } wires[] = { { 1, 0x20 }, { 2, 0x10 }, { 4, 0x40 }, { 8, 0x80 } };

    outb(MODEM_CONTROL, LOOP);
    inb(MODEM);
    for (unsigned i = 0; i < ARRAY_SIZE(wires); i++) {
        outb(MODEM_CONTROL, LOOP | wires[i].out);
        unsigned first = inb(MODEM);

        check_eq(first & 0xf0, wires[i].in);
        check_eq(inb(MODEM) & 0x0f, 0);    /* changes are told once */
        outb(MODEM_CONTROL, LOOP);
        unsigned gone = inb(MODEM);

        /* Of the ring indicator only its end is a change. */
        check_eq(first & 0x0f, wires[i].in == 0x40 ? 0 : wires[i].in >> 4);
        check_eq(gone, wires[i].in >> 4);
    }
}

static void without_fifos(void)
{
    outb(CAUSE, 0);
    check_eq(inb(CAUSE) & FIFOS, 0);
    outb(DATA, 'a');
    check_eq(inb(LINE) & (READY | OVERRUN), READY);
    outb(DATA, 'b');
    check_eq(inb(LINE) & OVERRUN, OVERRUN);
    check_eq(inb(LINE) & OVERRUN, 0);      /* reading forgets it */
    check_eq(inb(DATA), 'b');              /* the character before is lost */
    check_eq(inb(LINE) & READY, 0);
}

static void with_fifos(void)
{
    outb(CAUSE, FIFO_ON | CLEAR | TRIGGER_8);
    check_eq(inb(CAUSE) & FIFOS, FIFOS);
    outb(ENABLE, ON_DATA);
    for (unsigned i = 0; i < 7; i++)
        outb(DATA, (uint8_t)i);
    check_eq(cause(), NOTHING);
    outb(DATA, 7);
    check_eq(cause(), IS_DATA);
    check_eq(inb(DATA), 0);
    check_eq(cause(), NOTHING);
    apic_sleep(200000);                    /* four characters of ten bits take 347 us */
    check_eq(cause(), NOTHING);
    apic_sleep(200000);
    check_eq(cause(), IS_TIMEOUT);
    check_eq(inb(DATA), 1);
    check_eq(cause(), NOTHING);
    for (unsigned i = 2; i < 8; i++)
        check_eq(inb(DATA), i);
    check_eq(inb(LINE) & READY, 0);

    outb(ENABLE, ON_LINE | ON_DATA);
    for (unsigned i = 0; i < 17; i++)
        outb(DATA, (uint8_t)(0x40 + i));
    check_eq(cause(), IS_LINE);
    check_eq(inb(LINE) & OVERRUN, OVERRUN);
    check_eq(cause(), IS_DATA);
    for (unsigned i = 0; i < 16; i++)
        check_eq(inb(DATA), 0x40 + i);     /* the seventeenth is lost */
    check_eq(inb(LINE) & READY, 0);
    outb(DATA, 1);
    outb(CAUSE, FIFO_ON | CLEAR | TRIGGER_8);
    check_eq(inb(LINE) & READY, 0);
}

static void ranks(void)
{
    outb(CAUSE, 0);
    outb(ENABLE, ON_DATA | ON_EMPTY | ON_LINE | ON_MODEM);
    outb(DATA, 1);
    outb(DATA, 2);
    outb(MODEM_CONTROL, LOOP | 1);
    check_eq(cause(), IS_LINE);
    inb(LINE);
    check_eq(cause(), IS_DATA);
    inb(DATA);
    check_eq(cause(), IS_EMPTY);           /* told, and answered by that */
    check_eq(cause(), IS_MODEM);
    inb(MODEM);
    check_eq(cause(), NOTHING);
    outb(ENABLE, 0);
    outb(ENABLE, ON_EMPTY);                /* enabled while empty, it interrupts */
    check_eq(cause(), IS_EMPTY);
    check_eq(cause(), NOTHING);
    outb(ENABLE, 0);
    outb(MODEM_CONTROL, LOOP);
    inb(MODEM);
}

static void interrupt(void)
{
    ioapic_route(IRQ, VECTOR, lapic_read(LAPIC_ID) >> 24);
    outb(MODEM_CONTROL, LOOP | OUT2);
    outb(ENABLE, ON_DATA);
    outb(DATA, 'x');
    check(interrupt_wait(VECTOR, 1, 10000));
    outb(DATA, 'y');                       /* the line is up already */
    check(!interrupt_wait(VECTOR, 2, 10000));
    inb(DATA);
    outb(DATA, 'z');
    check(interrupt_wait(VECTOR, 2, 10000));
}

void test_main(void)
{
    registers();
    modem_lines();
    without_fifos();
    with_fifos();
    ranks();
    interrupt();
}
