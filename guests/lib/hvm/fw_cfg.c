/* fw_cfg.c (HVM) - what a PC has for its firmware; a guest in place of firmware finds its command line there. */
#include <guest.h>

enum { SELECTOR = 0x510, DATA = 0x511, CMDLINE_SIZE = 0x14, CMDLINE_DATA = 0x15 };

void fw_cfg_read(uint16_t item, void *to, size_t size)
{
    uint8_t *out = to;

    outw(SELECTOR, item);
    while (size--)
        *out++ = inb(DATA);
}

const char *fw_cfg_cmdline(void)
{
    static char text[MAX_GUEST_CMDLINE + 1];
    uint32_t size;

    fw_cfg_read(CMDLINE_SIZE, &size, sizeof(size));
    fw_cfg_read(CMDLINE_DATA, text, size < MAX_GUEST_CMDLINE ? size : MAX_GUEST_CMDLINE);
    return text;
}
