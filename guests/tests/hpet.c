/* @title  HPET
 * @fact   the main counter runs at the speed that it names while it is enabled; comparators interrupt once or with a period,
 *         by edge or by level, through the I/O APIC or in place of the PIT and the clock
 * @source IA-PC HPET specification 1.0a, 2.3 (registers), 2.3.9.2 (periodic mode), 2.3.3 (legacy replacement)
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { CAPABILITIES = 0, CONFIGURATION = 0x10, STATUS = 0x20, COUNTER = 0xf0, TIMER = 0x100, STEP = 0x20, VALUE = 8 };
enum { ENABLE = 1, LEGACY = 2, LEVEL = 2, INTERRUPT = 4, PERIODIC = 8, CAN_PERIODIC = 0x10, CAN_64 = 0x20, SET_VALUE = 0x40,
       NARROW = 0x100, ROUTE = 9 };
enum { VECTOR = 0x47, PIN = 20, MS = 1000000 };

static uint64_t femtoseconds;
static unsigned lowered;

static uint64_t get(unsigned reg) { return *(volatile uint64_t *)(HPET_BASE + reg); }
static void set(unsigned reg, uint64_t value) { *(volatile uint64_t *)(HPET_BASE + reg) = value; }
static uint64_t ticks(uint64_t ns) { return ns * 1000000 / femtoseconds; }
static unsigned timer(unsigned n, unsigned reg) { return TIMER + STEP * n + reg; }

static void on_level(unsigned vector)
{
    (void)vector;
    check_eq(get(STATUS) & 1, 1);
    set(STATUS, 1);
    check_eq(get(STATUS) & 1, 0);
    lowered++;
}

static void counter(void)
{
    uint64_t capabilities = get(CAPABILITIES);

    femtoseconds = capabilities >> 32;
    require(femtoseconds > 0 && femtoseconds <= 100000000);
    check((capabilities & 0xff) != 0);                    /* a revision */
    check((capabilities >> 8 & 0x1f) >= 2);               /* three comparators */
    check(capabilities >> 13 & 1);                        /* 64 bits */
    set(CONFIGURATION, 0);
    set(COUNTER, 0x1234567890);
    apic_sleep(MS);
    check_eq(get(COUNTER), 0x1234567890);
    set(CONFIGURATION, ENABLE);
    apic_sleep(10 * MS);
    uint64_t counted = get(COUNTER) - 0x1234567890;

    check(counted >= ticks(10 * MS) && counted < ticks(10 * MS + 100000));
    set(CONFIGURATION, 0);
    set(COUNTER, 0);
    check_eq(*(volatile uint32_t *)(HPET_BASE + COUNTER + 4), 0);
}

static void one_shot(void)
{
    require(get(timer(0, 0)) >> (32 + PIN) & 1);          /* it may be routed there */
    check(get(timer(0, 0)) & CAN_64);
    set(timer(0, 0), INTERRUPT | PIN << ROUTE);
    set(timer(0, VALUE), ticks(3 * MS));
    uint64_t start = clock_ns();

    set(CONFIGURATION, ENABLE);
    check(interrupt_halt(VECTOR, 1));
    check(clock_ns() - start >= 3 * MS && clock_ns() - start < 3 * MS + 20000);
    apic_sleep(20 * MS);
    check_eq(interrupt_count(VECTOR), 1);
    set(CONFIGURATION, 0);
}

static void periodic(void)
{
    require(get(timer(0, 0)) & CAN_PERIODIC);
    set(COUNTER, 0);
    set(timer(0, 0), INTERRUPT | PERIODIC | SET_VALUE | PIN << ROUTE);
    set(timer(0, VALUE), ticks(5 * MS));                  /* the first match, then the period */
    set(timer(0, VALUE), ticks(2 * MS));
    unsigned before = interrupt_count(VECTOR);
    uint64_t start = clock_ns();

    set(CONFIGURATION, ENABLE);
    check(interrupt_halt(VECTOR, before + 1));
    check(clock_ns() - start >= 5 * MS && clock_ns() - start < 5 * MS + 20000);
    check(interrupt_halt(VECTOR, before + 11));
    check(clock_ns() - start >= 25 * MS && clock_ns() - start < 25 * MS + 20000);
    check(get(timer(0, VALUE)) > get(COUNTER));
    set(CONFIGURATION, 0);
}

static void levels(void)
{
    interrupt_watch(VECTOR, on_level);
    ioapic_route(PIN, VECTOR | RTE_LEVEL, lapic_read(LAPIC_ID) >> 24);
    set(COUNTER, 0);
    set(timer(0, 0), INTERRUPT | LEVEL | PIN << ROUTE);
    set(timer(0, VALUE), ticks(MS));
    unsigned before = interrupt_count(VECTOR);

    set(CONFIGURATION, ENABLE);
    check(interrupt_halt(VECTOR, before + 1));
    apic_sleep(MS);
    check_eq(lowered, 1);
    check_eq(interrupt_count(VECTOR), before + 1);
    set(CONFIGURATION, 0);
    ioapic_route(PIN, RTE_MASKED, 0);
    set(timer(0, 0), 0);
}

/* A comparator of 32 bits does not look at the counter's upper half. */
static void narrow(void)
{
    ioapic_route(PIN, VECTOR, lapic_read(LAPIC_ID) >> 24);
    interrupt_watch(VECTOR, NULL);
    unsigned before = interrupt_count(VECTOR);

    set(COUNTER, 0x500000000);
    set(timer(1, 0), INTERRUPT | PIN << ROUTE);
    set(timer(1, VALUE), ticks(MS));
    set(CONFIGURATION, ENABLE);
    apic_sleep(2 * MS);
    check_eq(interrupt_count(VECTOR), before);
    set(CONFIGURATION, 0);
    set(COUNTER, 0x500000000);
    set(timer(1, 0), INTERRUPT | NARROW | PIN << ROUTE);
    set(timer(1, VALUE), ticks(MS));
    set(CONFIGURATION, ENABLE);
    apic_sleep(2 * MS);
    check_eq(interrupt_count(VECTOR), before + 1);
    set(CONFIGURATION, 0);
    set(timer(1, 0), 0);
}

static void legacy(void)
{
    pic_init(ICW4_8086 | ICW4_AUTO_EOI);
    pic_connect();
    pic_unmask(1 << 0 | 1 << 8);
    outb(PIT + 3, 0x34);
    outb(PIT, 0xa9);
    outb(PIT, 4);                          /* the PIT ticks every ms, and is not heard */
    set(COUNTER, 0);
    set(timer(0, 0), INTERRUPT);
    set(timer(0, VALUE), ticks(50 * MS));
    set(timer(1, 0), INTERRUPT);
    set(timer(1, VALUE), ticks(100 * MS));
    set(CONFIGURATION, ENABLE | LEGACY);
    unsigned before = interrupt_count(PIC_VECTOR);

    apic_sleep(120 * MS);
    check_eq(interrupt_count(PIC_VECTOR), before + 1);
    check_eq(interrupt_count(PIC_VECTOR + 8), 1);
    set(CONFIGURATION, 0);
    check(interrupt_halt(PIC_VECTOR, before + 3));
}

void test_main(void)
{
    counter();
    ioapic_route(PIN, VECTOR, lapic_read(LAPIC_ID) >> 24);
    one_shot();
    periodic();
    levels();
    narrow();
    legacy();
}
