/* kbc.c (HVM) - the keyboard controller. */
#include <guest.h>
#include <kbc.h>
#include <pc.h>

void kbc_command(uint8_t command) { outb(KBC, command); }

void kbc_command_with(uint8_t command, uint8_t value)
{
    outb(KBC, command);
    outb(KBC_DATA, value);
}

int kbc_take(void)
{
    for (unsigned turns = 0; turns < 1000; turns++)
        if (inb(KBC) & KBC_FULL)
            return inb(KBC_DATA);
    return KBC_NOTHING;
}

int kbc_keyboard(uint8_t byte)
{
    outb(KBC_DATA, byte);
    return kbc_take();
}

int kbc_mouse(uint8_t byte)
{
    kbc_command_with(KBC_TO_MOUSE, byte);
    return kbc_take();
}

void kbc_begin(uint8_t command_byte)
{
    while (kbc_take() != KBC_NOTHING)
        ;
    kbc_command_with(KBC_WRITE_COMMAND_BYTE, command_byte);
}
