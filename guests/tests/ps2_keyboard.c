/* @title  PS/2 keyboard
 * @fact   commands are acknowledged, arguments too, unknown ones are asked for again; it names itself, its scan code set, and
 *         its last byte; the controller translates what it says
 * @source IBM Personal System/2 Hardware Interface Technical Reference, Keyboards (101- and 102-key): commands from the system
 * @env    hvm64
 */
#include <guest.h>
#include <kbc.h>

enum { LEDS = 0xed, ECHO = 0xee, SCAN_SET = 0xf0, IDENTIFY = 0xf2, RATE = 0xf3, ON = 0xf4, OFF = 0xf5, DEFAULTS = 0xf6,
       RESEND = 0xfe, RESET = 0xff };

static void set_is(int set)
{
    check_eq(kbc_keyboard(SCAN_SET), PS2_ACK);
    check_eq(kbc_keyboard(0), PS2_ACK);
    check_eq(kbc_take(), set);
}

void test_main(void)
{
    kbc_begin(KBC_NO_MOUSE);
    check_eq(kbc_keyboard(RESET), PS2_ACK);
    check_eq(kbc_take(), PS2_PASSED);
    check_eq(kbc_take(), KBC_NOTHING);
    check_eq(kbc_keyboard(IDENTIFY), PS2_ACK);
    check_eq(kbc_take(), 0xab);
    check_eq(kbc_take(), 0x83);
    check_eq(kbc_keyboard(RESEND), 0x83);
    check_eq(kbc_keyboard(ECHO), ECHO);    /* not by an acknowledgement */
    check_eq(kbc_take(), KBC_NOTHING);
    check_eq(kbc_keyboard(0x05), PS2_AGAIN);
    check_eq(kbc_keyboard(LEDS), PS2_ACK);
    check_eq(kbc_keyboard(7), PS2_ACK);
    check_eq(kbc_keyboard(RATE), PS2_ACK);
    check_eq(kbc_keyboard(ON), PS2_ACK);   /* a command where an argument was due is a command */
    check_eq(kbc_take(), KBC_NOTHING);
    check_eq(kbc_keyboard(0x05), PS2_AGAIN);
    set_is(2);
    check_eq(kbc_keyboard(SCAN_SET), PS2_ACK);
    check_eq(kbc_keyboard(3), PS2_ACK);
    set_is(3);
    check_eq(kbc_keyboard(DEFAULTS), PS2_ACK);
    set_is(2);
    check_eq(kbc_keyboard(OFF), PS2_ACK);

    /* Set 2 becomes set 1 on its way, answers too where they are scan codes. */
    kbc_command_with(KBC_WRITE_COMMAND_BYTE, KBC_NO_MOUSE | KBC_TRANSLATE);
    check_eq(kbc_keyboard(IDENTIFY), PS2_ACK);
    check_eq(kbc_take(), 0xab);
    check_eq(kbc_take(), 0x41);
    check_eq(kbc_keyboard(SCAN_SET), PS2_ACK);
    check_eq(kbc_keyboard(0), PS2_ACK);
    check_eq(kbc_take(), 0x41);            /* what 2 becomes */
}
