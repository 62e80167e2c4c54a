/* @title  I/O APIC
 * @fact   an edge is one message; a level is one until its end, and again while the line is high; a masked edge is lost, a
 *         masked level is not; what is written where
 * @source Intel 82093AA data sheet, 3.0 to 3.2.4; Intel SDM volume 3, 10.8.5 (EOI messages), 10.11.1 (destinations)
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>

enum { VECTOR = 0x46, HIGHER = 0x56, PIN = 4, OTHER = 3, SHORT = 20000 };

static unsigned us, ended;

static void on_level(unsigned vector)
{
    check_eq(ioapic_entry(PIN) & RTE_REMOTE_IRR, RTE_REMOTE_IRR);
    check_eq(lapic_read(LAPIC_TMR + 16 * (vector / 32)) >> vector % 32 & 1, 1);
    if (++ended == 3)
        line_set(PIN, false);
}

static unsigned come(unsigned vector)
{
    unsigned before = interrupt_count(vector);

    interrupt_wait(vector, before + 100, SHORT);
    return interrupt_count(vector) - before;
}

static void registers(void)
{
    unsigned pins = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;

    check(pins >= 24);
    check((ioapic_read(IOAPIC_VERSION) & 0xff) >= 0x11);
    ioapic_write(IOAPIC_ID, 0x5fffffff);
    check_eq(ioapic_read(IOAPIC_ID) & 0x0f000000, 0x0f000000);
    check_eq(ioapic_read(IOAPIC_ID) & 0xff, 0);
    for (unsigned pin = 0; pin < pins; pin++)
        check_eq(ioapic_entry(pin), RTE_MASKED);          /* after a reset */
    ioapic_write(IOAPIC_TABLE + 2 * PIN, 0xffffffff);
    check_eq(ioapic_entry(PIN), 0x1afff);                 /* delivery status and remote IRR are not ours to write */
    ioapic_write(IOAPIC_TABLE + 2 * PIN + 1, 0x12345678);
    check_eq(ioapic_read(IOAPIC_TABLE + 2 * PIN + 1), 0x12000000);
}

static void edges(void)
{
    ioapic_route(PIN, VECTOR, us);
    line_set(PIN, true);
    check_eq(come(VECTOR), 1);
    check_eq(ioapic_entry(PIN) & RTE_REMOTE_IRR, 0);
    line_set(PIN, false);
    check_eq(come(VECTOR), 0);
    line_set(PIN, true);
    line_set(PIN, false);
    check_eq(come(VECTOR), 1);
    ioapic_route(PIN, VECTOR | RTE_MASKED, us);
    line_set(PIN, true);
    ioapic_route(PIN, VECTOR, us);
    check_eq(come(VECTOR), 0);                            /* the edge is over */
    line_set(PIN, false);
}

static void levels(void)
{
    interrupt_watch(HIGHER, on_level);
    ioapic_route(PIN, HIGHER | RTE_LEVEL | RTE_MASKED, us);
    line_set(PIN, true);
    check_eq(come(HIGHER), 0);
    ioapic_route(PIN, HIGHER | RTE_LEVEL, us);
    check_eq(come(HIGHER), 3);                            /* until the handler takes the line down */
    check_eq(ioapic_entry(PIN) & RTE_REMOTE_IRR, 0);

    /* Without an end it is one message, however often the line moves. */
    irq_disable();
    interrupt_without_eoi(HIGHER);
    ended = 10;
    line_set(PIN, true);
    check_eq(come(HIGHER), 1);
    line_set(PIN, false);
    line_set(PIN, true);
    check_eq(come(HIGHER), 0);
    check_eq(ioapic_entry(PIN) & RTE_REMOTE_IRR, RTE_REMOTE_IRR);
    line_set(PIN, false);
    lapic_write(LAPIC_EOI, 0);
    check_eq(ioapic_entry(PIN) & RTE_REMOTE_IRR, 0);
    check_eq(come(HIGHER), 0);
    ioapic_route(PIN, RTE_MASKED, 0);
}

static void destinations(void)
{
    lapic_write(LAPIC_LDR, 0x04000000);
    lapic_write(LAPIC_DFR, 0xffffffff);                   /* flat */
    ioapic_route(OTHER, VECTOR | RTE_LOGICAL, 0x0c);
    line_set(OTHER, true);
    check_eq(come(VECTOR), 1);
    line_set(OTHER, false);
    ioapic_route(OTHER, VECTOR | RTE_LOGICAL, 0x03);
    line_set(OTHER, true);
    check_eq(come(VECTOR), 0);
    line_set(OTHER, false);
    lapic_write(LAPIC_DFR, 0x0fffffff);                   /* clusters: 0, and the third of its four */
    lapic_write(LAPIC_LDR, 0x14000000);
    ioapic_route(OTHER, VECTOR | RTE_LOGICAL, 0x16);
    line_set(OTHER, true);
    check_eq(come(VECTOR), 1);
    line_set(OTHER, false);
    ioapic_route(OTHER, VECTOR | RTE_LOGICAL, 0x24);
    line_set(OTHER, true);
    check_eq(come(VECTOR), 0);
    line_set(OTHER, false);
    ioapic_route(OTHER, VECTOR, us + 2);                  /* nobody */
    line_set(OTHER, true);
    check_eq(come(VECTOR), 0);
    line_set(OTHER, false);
    ioapic_route(OTHER, VECTOR, 0xff);                    /* everybody */
    line_set(OTHER, true);
    check_eq(come(VECTOR), 1);
}

void test_main(void)
{
    us = lapic_read(LAPIC_ID) >> 24;
    interrupt_watch(VECTOR, NULL);
    registers();
    edges();
    levels();
    destinations();
}
