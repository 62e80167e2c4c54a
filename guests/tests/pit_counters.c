/* @title  8254: counting and reading
 * @fact   counter 2 counts while its gate is high; modes 0 to 3 move OUT as they say; latched counts and status stand until
 *         they are read
 * @source Intel 8254 data sheet: Control word format, Counter latch and Read-back commands, Mode definitions; PIIX3 data
 *         sheet, NMI status and control register (port 61h)
 * @env    hvm64 hvm32
 */
#include <guest.h>
#include <pc.h>

enum { SPEAKER = 0x61, GATE = 1, OUT = 0x20, COUNTER_2 = PIT + 2, CONTROL = PIT + 3, SELECT_2 = 0x80, BOTH = 0x30, LOW = 0x10 };
enum { READ_BACK_2 = 0xc8, NO_COUNT = 0x20, NO_STATUS = 0x10, STATUS_OUT = 0x80, STATUS_NULL = 0x40 };
enum { TICK_NS = 839 };                    /* 1.193182 MHz, rounded up */

static bool out(void) { return inb(SPEAKER) & OUT; }
static void gate(bool high) { outb(SPEAKER, high ? GATE : 0); }

static void count_from(unsigned mode, unsigned count)
{
    outb(CONTROL, (uint8_t)(SELECT_2 | BOTH | mode << 1));
    outb(COUNTER_2, (uint8_t)count);
    outb(COUNTER_2, (uint8_t)(count >> 8));
}

static unsigned take(void)
{
    unsigned low = inb(COUNTER_2);

    return low | (unsigned)inb(COUNTER_2) << 8;
}

static unsigned count(void)
{
    outb(CONTROL, SELECT_2);
    return take();
}

static void mode_0(void)
{
    gate(true);
    count_from(0, 1000);
    check(!out());
    apic_sleep(900 * TICK_NS);
    check(!out());
    gate(false);                           /* the gate stops it */
    unsigned left = count();

    check(left > 0 && left <= 100);
    apic_sleep(500000);
    check_eq(count(), left);
    check(!out());
    gate(true);
    apic_sleep(101 * TICK_NS);
    check(out());
    outb(COUNTER_2, 0);                    /* the first byte of another count takes OUT down */
    outb(COUNTER_2, 1);
    check(!out());
}

static void latches(void)
{
    count_from(2, 5000);
    apic_sleep(100000);
    outb(CONTROL, SELECT_2);
    apic_sleep(500000);
    outb(CONTROL, SELECT_2);               /* the first latch stands */
    unsigned first = take(), second = count();

    check(first < 4950 && first > 4800);
    check(second < first - 400 && second > first - 800);

    /* Status before count, both from one command. */
    outb(CONTROL, READ_BACK_2);
    check_eq(inb(COUNTER_2), STATUS_OUT | BOTH | 2 << 1);
    unsigned third = take();

    check(third <= second && third > second - 100);
    outb(CONTROL, SELECT_2 | BOTH | 2 << 1);
    outb(COUNTER_2, 7);
    outb(CONTROL, READ_BACK_2 | NO_COUNT);
    check_eq(inb(COUNTER_2) & STATUS_NULL, STATUS_NULL);
    outb(COUNTER_2, 7);
    apic_sleep(2 * TICK_NS);
    outb(CONTROL, READ_BACK_2 | NO_COUNT);
    check_eq(inb(COUNTER_2) & STATUS_NULL, 0);

    /* One byte only; and decimal. */
    outb(CONTROL, SELECT_2 | LOW | 2 << 1);
    outb(COUNTER_2, 200);
    apic_sleep(10 * TICK_NS);
    unsigned low = inb(COUNTER_2), again = inb(COUNTER_2);

    check(low <= 192 && low > 150 && again <= low && again > low - 20);
    outb(CONTROL, SELECT_2 | BOTH | 2 << 1 | 1);
    outb(COUNTER_2, 0x00);
    outb(COUNTER_2, 0x10);                 /* a thousand */
    apic_sleep(10 * TICK_NS);
    unsigned decimal = count();

    check(decimal <= 0x992 && decimal > 0x950 && (decimal & 15) < 10);
}

/* How long OUT stays as it is, from its next change on. */
static uint64_t half(bool high)
{
    while (out() == high)
        ;
    while (out() != high)
        ;
    uint64_t start = clock_ns();

    while (out() == high)
        ;
    return clock_ns() - start;
}

static bool about(uint64_t ns, uint64_t ticks) { return ns > (ticks - 3) * TICK_NS && ns < (ticks + 3) * TICK_NS; }

static void periodic(void)
{
    count_from(3, 201);                    /* a square wave: high for one clock more */
    check(out());
    check(about(half(true), 101));
    check(about(half(false), 100));
    unsigned before = count(), after = count();

    check(!(before & 1) && !(after & 1));  /* it counts by two */
    gate(false);
    check(out());
    gate(true);
    count_from(2, 100);                    /* a rate: low for one clock */
    check(half(true) > 90 * TICK_NS);
    gate(false);
    check(out());
    unsigned stopped = count();

    apic_sleep(30 * TICK_NS);
    check_eq(count(), stopped);
    gate(true);                            /* and begins anew */
    apic_sleep(5 * TICK_NS);
    check(count() > 80 && count() < 97);
}

static void one_shot(void)
{
    gate(false);
    count_from(1, 500);
    apic_sleep(600 * TICK_NS);
    check(out());                          /* it waits for its gate */
    gate(true);
    apic_sleep(2 * TICK_NS);
    check(!out());
    apic_sleep(400 * TICK_NS);
    gate(false);
    gate(true);                            /* triggered again before its end */
    apic_sleep(400 * TICK_NS);
    check(!out());
    apic_sleep(120 * TICK_NS);
    check(out());
}

void test_main(void)
{
    mode_0();
    latches();
    periodic();
    one_shot();
}
