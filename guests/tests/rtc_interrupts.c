/* @title  MC146818: interrupts
 * @fact   periodic, alarm and update-ended interrupts set their flags in register C, enabled or not, and drive interrupt 8
 *         until C is read; the alarm's don't-care bytes match every time
 * @source Motorola MC146818A data sheet: Interrupts, Registers A, B and C
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { A = 10, B = 11, C = 12, HOURS_24 = 2, BINARY = 4, SET = 0x80, PERIODIC = 0x40, ALARM = 0x20, UPDATE = 0x10 };
enum { REQUEST = 0x80, PLAIN = HOURS_24 | BINARY, ANY = 0xff, IRQ = 8, VECTOR = 0x45, SECOND = 1000000000, DIVIDER = 0x20 };

static unsigned flags;

static void on_clock(unsigned vector)
{
    (void)vector;
    flags = rtc_read(C);
}

static bool wait(unsigned count) { return interrupt_halt(VECTOR, interrupt_count(VECTOR) + count); }

void test_main(void)
{
    interrupt_watch(VECTOR, on_clock);
    ioapic_route(IRQ, VECTOR, lapic_read(LAPIC_ID) >> 24);
    rtc_write(A, DIVIDER | 6);                   /* 1024 Hz */
    rtc_write(B, PLAIN);
    rtc_read(C);

    /* Flags come without interrupts; reading takes them away. */
    apic_sleep(2000000);
    check_eq(rtc_read(C) & (PERIODIC | REQUEST), PERIODIC);
    check_eq(rtc_read(C) & PERIODIC, 0);
    check_eq(interrupt_count(VECTOR), 0);

    rtc_write(B, PLAIN | PERIODIC);
    require(wait(1));
    uint64_t start = clock_ns();

    check(wait(64));
    uint64_t took = clock_ns() - start;

    check(took > 62000000 && took < 63000000);            /* 62.5 ms */
    check_eq(flags & (REQUEST | PERIODIC), REQUEST | PERIODIC);
    rtc_write(A, DIVIDER | 15);                  /* 2 Hz */
    require(wait(1));
    start = clock_ns();
    check(wait(2));
    check(clock_ns() - start > 999000000 && clock_ns() - start < 1001000000);

    rtc_write(B, PLAIN | UPDATE);
    rtc_read(C);
    require(wait(1));
    check_eq(flags & (REQUEST | UPDATE), REQUEST | UPDATE);
    start = clock_ns();
    uint8_t second = rtc_read(0);

    check(wait(1));
    check(clock_ns() - start > 999000000 && clock_ns() - start < 1001000000);
    check_eq(rtc_read(0), (second + 1) % 60);

    /* An alarm each minute, then at one second of one hour. */
    rtc_write(B, SET | PLAIN);
    rtc_write(4, 5);
    rtc_write(2, 58);
    rtc_write(0, 50);
    rtc_write(1, 10);
    rtc_write(3, ANY);
    rtc_write(5, ANY);
    rtc_write(B, PLAIN | ALARM);
    rtc_read(C);
    check(wait(1));
    check_eq(flags & (REQUEST | ALARM), REQUEST | ALARM);
    check_eq(rtc_read(0), 10);
    check_eq(rtc_read(2), 59);
    check(wait(1));
    check_eq(rtc_read(2), 0);
    rtc_write(5, 7);
    rtc_write(3, 1);
    check(wait(1));
    check_eq(rtc_read(4) * 3600 + rtc_read(2) * 60 + rtc_read(0), 7 * 3600 + 60 + 10);

    /* The line stays up until C is read. */
    rtc_write(A, DIVIDER | 6);
    ioapic_route(IRQ, RTE_MASKED, 0);
    pic_init(ICW4_8086);
    rtc_write(B, PLAIN | PERIODIC);
    apic_sleep(2000000);
    outb(ELCR2, 0);
    check_eq(pic_requests() >> IRQ & 1, 1);
    apic_sleep(2000000);
    check_eq(pic_requests() >> IRQ & 1, 1);
    rtc_read(C);
    check_eq(pic_requests() >> IRQ & 1, 0);
    rtc_write(B, PLAIN);
}
