/* kbc.h (HVM) - the keyboard controller, and what is plugged into it. Facts: IBM Personal System/2 Hardware Interface
 * Technical Reference, Keyboard and auxiliary device controller.
 */
#ifndef GUEST_HVM_KBC_H
#define GUEST_HVM_KBC_H
#include <stdbool.h>
#include <stdint.h>

enum { KBC_FULL = 1, KBC_SYSTEM = 4, KBC_COMMAND = 8, KBC_FROM_MOUSE = 0x20 };
enum { KBC_ON_KEYBOARD = 1, KBC_ON_MOUSE = 2, KBC_NO_KEYBOARD = 0x10, KBC_NO_MOUSE = 0x20, KBC_TRANSLATE = 0x40 };
enum { KBC_READ_COMMAND_BYTE = 0x20, KBC_WRITE_COMMAND_BYTE = 0x60, KBC_TO_KEYBOARD_BUFFER = 0xd2,
       KBC_TO_MOUSE_BUFFER = 0xd3, KBC_TO_MOUSE = 0xd4, KBC_READ_OUTPUT = 0xd0, KBC_SELF_TEST = 0xaa };
enum { PS2_ACK = 0xfa, PS2_AGAIN = 0xfe, PS2_PASSED = 0xaa, KBC_NOTHING = -1 };

/* A command to the controller; the same with a byte that belongs to it. */
void kbc_command(uint8_t command);
void kbc_command_with(uint8_t command, uint8_t value);
/* The byte in the output buffer, after a while at most; KBC_NOTHING: there is none. */
int kbc_take(void);
/* A byte to the keyboard or to the mouse, and its answer. */
int kbc_keyboard(uint8_t byte);
int kbc_mouse(uint8_t byte);
/* Take what is there, and set the command byte. */
void kbc_begin(uint8_t command_byte);

#endif
