/* @title  8042 keyboard controller
 * @fact   its tests, its memory and its ports; one byte at a time, from whom the status says, with interrupt 1 or 12 as the
 *         command byte enables them; a device whose clock is off waits
 * @source IBM Personal System/2 Hardware Interface Technical Reference, Keyboard and auxiliary device controller (commands,
 *         status register, command byte)
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <kbc.h>
#include <pc.h>

enum { KEYBOARD = 1, MOUSE = 12, ECHO = 0xee };

static bool line(unsigned irq) { return pic_requests() >> irq & 1; }

void test_main(void)
{
    pic_init(ICW4_8086);
    kbc_begin(KBC_NO_KEYBOARD | KBC_NO_MOUSE);
    kbc_command(KBC_SELF_TEST);
    check_eq(inb(KBC) & (KBC_FULL | KBC_COMMAND | KBC_FROM_MOUSE), KBC_FULL | KBC_COMMAND);
    check_eq(kbc_take(), 0x55);
    check_eq(inb(KBC) & KBC_FULL, 0);
    check_eq(inb(KBC) & KBC_SYSTEM, KBC_SYSTEM);
    kbc_command(0xab);                     /* the keyboard's wires, the mouse's */
    check_eq(kbc_take(), 0);
    kbc_command(0xa9);
    check_eq(kbc_take(), 0);

    for (unsigned i = 1; i < 32; i++)
        kbc_command_with((uint8_t)(KBC_WRITE_COMMAND_BYTE + i), (uint8_t)(i * 7));
    for (unsigned i = 1; i < 32; i++) {
        kbc_command((uint8_t)(KBC_READ_COMMAND_BYTE + i));
        check_eq(kbc_take(), i * 7);
    }
    kbc_command(KBC_READ_COMMAND_BYTE);
    check_eq(kbc_take() & ~KBC_SYSTEM, KBC_NO_KEYBOARD | KBC_NO_MOUSE);
    kbc_command(0xae);
    kbc_command(0xa8);
    kbc_command(KBC_READ_COMMAND_BYTE);
    check_eq(kbc_take() & ~KBC_SYSTEM, 0);

    /* Interrupts follow the buffer, and whom the byte is from. */
    kbc_command_with(KBC_TO_KEYBOARD_BUFFER, 0x1c);
    check(!line(KEYBOARD));
    check_eq(kbc_take(), 0x1c);
    kbc_command_with(KBC_WRITE_COMMAND_BYTE, KBC_ON_KEYBOARD | KBC_ON_MOUSE);
    kbc_command_with(KBC_TO_KEYBOARD_BUFFER, 0x1d);
    check(line(KEYBOARD) && !line(MOUSE));
    check_eq(inb(KBC) & (KBC_FULL | KBC_FROM_MOUSE), KBC_FULL);
    check_eq(inb(KBC_DATA), 0x1d);
    check(!line(KEYBOARD));
    kbc_command_with(KBC_TO_MOUSE_BUFFER, 0x08);
    check(!line(KEYBOARD) && line(MOUSE));
    check_eq(inb(KBC) & (KBC_FULL | KBC_FROM_MOUSE), KBC_FULL | KBC_FROM_MOUSE);
    check_eq(kbc_take(), 8);
    check(!line(MOUSE));
    check_eq(inb(KBC) & (KBC_FULL | KBC_FROM_MOUSE), 0);

    /* A keyboard whose clock is held keeps what it has to say; a byte sent to it starts the clock. */
    check_eq(kbc_keyboard(ECHO), ECHO);
    kbc_command(0xad);
    kbc_command(KBC_READ_COMMAND_BYTE);
    check_eq(kbc_take() & KBC_NO_KEYBOARD, KBC_NO_KEYBOARD);
    check_eq(kbc_keyboard(ECHO), ECHO);
    kbc_command(KBC_READ_COMMAND_BYTE);
    check_eq(kbc_take() & KBC_NO_KEYBOARD, 0);
    outb(KBC_DATA, 0xf2);                  /* an answer of three bytes */
    kbc_command(0xad);
    check_eq(kbc_take(), PS2_ACK);
    check_eq(kbc_take(), KBC_NOTHING);
    kbc_command(0xae);
    check_eq(kbc_take(), 0xab);
    check_eq(kbc_take(), 0x83);

    kbc_command(KBC_READ_OUTPUT);
    check_eq(kbc_take() & 3, 3);           /* not in reset, and line 20 is open */
}
