/* @title  PS/2 mouse
 * @fact   it says what it is, becomes one with a wheel and with five buttons by three sample rates, tells its status, reports
 *         when asked in remote mode, and echoes in wrap mode
 * @source IBM Personal System/2 Hardware Interface Technical Reference, Mouse: commands; Microsoft IntelliMouse detection, as
 *         Linux's drivers/input/mouse/psmouse-base.c (intellimouse_detect, im_explorer_detect) has it
 * @env    hvm64
 */
#include <guest.h>
#include <kbc.h>
#include <pc.h>

enum { SCALE_1 = 0xe6, SCALE_2 = 0xe7, RESOLUTION = 0xe8, STATUS = 0xe9, STREAM = 0xea, READ = 0xeb, NO_WRAP = 0xec,
       WRAP = 0xee, REMOTE = 0xf0, IDENTIFY = 0xf2, RATE = 0xf3, ON = 0xf4, OFF = 0xf5, DEFAULTS = 0xf6, RESET = 0xff };

static void told(uint8_t command) { check_eq(kbc_mouse(command), PS2_ACK); }
static void told_with(uint8_t command, uint8_t value) { told(command); told(value); }

static void identity_is(int number)
{
    told(IDENTIFY);
    check_eq(kbc_take(), number);
}

static void status_is(int flags, int resolution, int rate)
{
    told(STATUS);
    check_eq(kbc_take(), flags);
    check_eq(kbc_take(), resolution);
    check_eq(kbc_take(), rate);
}

static void report_is(unsigned bytes)
{
    told(READ);
    check_eq(kbc_take(), 0x08);            /* no button, no sign; bit 3 always */
    for (unsigned i = 1; i < bytes; i++)
        check_eq(kbc_take(), 0);
    check_eq(kbc_take(), KBC_NOTHING);
}

static void knock(uint8_t a, uint8_t b, uint8_t c)
{
    told_with(RATE, a);
    told_with(RATE, b);
    told_with(RATE, c);
}

void test_main(void)
{
    kbc_begin(KBC_NO_KEYBOARD);
    told(RESET);
    check_eq(kbc_take(), PS2_PASSED);
    check_eq(kbc_take(), 0);
    identity_is(0);
    status_is(0, 2, 100);                  /* stream mode, off, 1:1; 4 counts a mm */
    told(ON);
    told(SCALE_2);
    told_with(RESOLUTION, 3);
    told_with(RATE, 40);
    status_is(0x30, 3, 40);
    told(REMOTE);
    status_is(0x70, 3, 40);
    report_is(3);
    told(STREAM);
    told(DEFAULTS);
    status_is(0, 2, 100);

    knock(200, 100, 80);
    identity_is(3);
    report_is(4);
    knock(200, 200, 80);
    identity_is(4);
    told(DEFAULTS);
    identity_is(4);

    told(WRAP);
    check_eq(kbc_mouse(STATUS), STATUS);
    check_eq(kbc_mouse(0x12), 0x12);
    check_eq(inb(KBC) & KBC_FULL, 0);
    told(NO_WRAP);
    told(RESET);
    check_eq(kbc_take(), PS2_PASSED);
    check_eq(kbc_take(), 0);
    identity_is(0);
    check_eq(kbc_mouse(0x01), PS2_AGAIN);
}
