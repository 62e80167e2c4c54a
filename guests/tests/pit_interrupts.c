/* @title  8254: interrupt 0
 * @fact   counter 0 interrupts once in mode 0, and every N clocks of 1.193182 MHz in modes 2 and 3, by the 8259A's input 0
 *         and the I/O APIC's pin 2; port 61h shows the refresh toggle
 * @source Intel 8254 data sheet: Mode definitions; Intel MultiProcessor Specification 1.4, 3.6.2; PIIX3 data sheet, NMI
 *         status and control register
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { CONTROL = PIT + 3, BOTH = 0x30, VECTOR = 0x44, REFRESH = 0x10, TICK_NS = 839 };
enum { HUNDREDTH = 11932 };                /* of a second: 10000 us */

static uint64_t before;

static void on_irq0(unsigned vector)
{
    (void)vector;
    outb(PIC1, OCW2_EOI);
}

static void count_from(unsigned mode, unsigned count)
{
    outb(CONTROL, (uint8_t)(BOTH | mode << 1));
    outb(PIT, (uint8_t)count);
    outb(PIT, (uint8_t)(count >> 8));
    before = clock_ns();
}

static void by(unsigned vector, unsigned mode)
{
    unsigned so_far = interrupt_count(vector);

    count_from(mode, HUNDREDTH);
    check(interrupt_halt(vector, so_far + 20));
    uint64_t took = clock_ns() - before;

    check(took > 199900000 && took < 200100000);
}

void test_main(void)
{
    pic_init(ICW4_8086);
    pic_connect();
    interrupt_watch(PIC_VECTOR, on_irq0);
    pic_unmask(1 << 0);
    count_from(0, 1000);
    check(interrupt_halt(PIC_VECTOR, 1));
    check(clock_ns() - before > 999 * 838 && clock_ns() - before < 1010 * TICK_NS);
    apic_sleep(200000000);                 /* three times around: no more of it */
    check_eq(interrupt_count(PIC_VECTOR), 1);
    by(PIC_VECTOR, 2);
    by(PIC_VECTOR, 3);

    pic_unmask(0);
    ioapic_route(PIT_PIN, VECTOR, lapic_read(LAPIC_ID) >> 24);
    by(VECTOR, 2);
    outb(CONTROL, BOTH);                   /* a control word stops it */
    unsigned so_far = interrupt_count(VECTOR);

    apic_sleep(50000000);
    check(interrupt_count(VECTOR) <= so_far + 1);
    ioapic_route(PIT_PIN, RTE_MASKED, 0);

    unsigned turns = 0, last = inb(0x61) & REFRESH;

    before = clock_ns();
    while (turns < 20) {
        unsigned now = inb(0x61) & REFRESH;

        turns += now != last;
        last = now;
    }
    uint64_t took = clock_ns() - before;

    check(took > 20 * 14000 && took < 20 * 16000);        /* 15 us each */
}
