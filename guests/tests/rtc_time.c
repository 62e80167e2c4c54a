/* @title  MC146818: the calendar
 * @fact   it goes on from what is written, in BCD or binary and 12 or 24 hours, over the ends of months and centuries; SET
 *         holds it; the update is announced; other bytes are memory
 * @source Motorola MC146818A data sheet: Time, calendar and alarm locations, Update cycle, Registers A, B and D
 * @env    hvm64
 */
#include <guest.h>
#include <pc.h>

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, WEEKDAY = 6, DAY = 7, MONTH = 8, YEAR = 9, A = 10, B = 11, D = 13, CENTURY = 0x32 };
enum { SET = 0x80, BINARY = 4, HOURS_24 = 2, UPDATING = 0x80, PM = 0x80, SECOND = 1000000000 };

static const uint8_t FIELDS[] = { CENTURY, YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS };

static void set(unsigned b, const uint8_t *fields)
{
    rtc_write(B, SET | b);
    for (unsigned i = 0; i < ARRAY_SIZE(FIELDS); i++)
        rtc_write(FIELDS[i], fields[i]);
    rtc_write(B, b);
}

static void is(const char *when, const uint8_t *fields)
{
    for (unsigned i = 0; i < ARRAY_SIZE(FIELDS); i++)
        if (rtc_read(FIELDS[i]) != fields[i])
            verdict_note(false, __FILE__, __LINE__, "%s: register %#x is %#x, not %#x", when, FIELDS[i], rtc_read(FIELDS[i]),
                         fields[i]);
}

/* To the middle of the next second. */
static void second(void)
{
    uint8_t before = rtc_read(SECONDS);

    for (unsigned turns = 0; rtc_read(SECONDS) == before; turns++) {
        require(turns < 1200);
        apic_sleep(1000000);
    }
}

void test_main(void)
{
    check_eq(rtc_read(D), 0x80);                /* the battery is good */
    set(HOURS_24, (const uint8_t[]){ 0x20, 0x23, 0x12, 0x31, 0x23, 0x59, 0x59 });
    rtc_write(WEEKDAY, 1);
    second();
    is("new year", (const uint8_t[]){ 0x20, 0x24, 0x01, 0x01, 0x00, 0x00, 0x00 });
    check_eq(rtc_read(WEEKDAY), 2);
    set(HOURS_24 | BINARY, (const uint8_t[]){ 19, 99, 12, 31, 23, 59, 59 });
    second();
    is("new century", (const uint8_t[]){ 20, 0, 1, 1, 0, 0, 0 });
    set(HOURS_24, (const uint8_t[]){ 0x20, 0x24, 0x02, 0x28, 0x23, 0x59, 0x59 });
    second();
    is("leap day", (const uint8_t[]){ 0x20, 0x24, 0x02, 0x29, 0x00, 0x00, 0x00 });
    set(0, (const uint8_t[]){ 0x20, 0x24, 0x03, 0x01, 0x11, 0x59, 0x59 });
    second();
    is("noon", (const uint8_t[]){ 0x20, 0x24, 0x03, 0x01, 0x12 | PM, 0x00, 0x00 });
    rtc_write(B, HOURS_24);                      /* the form of the hours is that of whoever reads or writes them next */
    set(HOURS_24 | BINARY, (const uint8_t[]){ 20, 24, 3, 1, 13, 14, 15 });
    is("binary", (const uint8_t[]){ 20, 24, 3, 1, 13, 14, 15 });

    rtc_write(B, SET | HOURS_24 | BINARY);
    uint8_t held = rtc_read(SECONDS);

    apic_sleep(2 * SECOND);
    check_eq(rtc_read(SECONDS), held);
    rtc_write(B, HOURS_24 | BINARY);

    /* UIP is up for 244 us before the registers change, and for the time that it takes, 2 ms at most. */
    unsigned turns = 0;

    second();
    check_eq(rtc_read(A) & UPDATING, 0);
    apic_sleep(900000000);
    held = rtc_read(SECONDS);
    while (!(rtc_read(A) & UPDATING)) {
        require(turns++ < 5000);
        apic_sleep(20000);
    }
    check_eq(rtc_read(SECONDS), held);
    apic_sleep(244000 + 1984000);
    check_eq(rtc_read(SECONDS), held + 1);
    check_eq(rtc_read(A) & UPDATING, 0);

    for (uint8_t reg = 0x60; reg < 0x70; reg++)
        rtc_write(reg, reg ^ 0xffu);
    for (uint8_t reg = 0x60; reg < 0x70; reg++)
        check_eq(rtc_read(reg), reg ^ 0xff);
    check_eq(rtc_read(0x34) | rtc_read(0x35) << 8, 0);              /* no memory above 16 MiB (in units of 64 KiB) */
}
