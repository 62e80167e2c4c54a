/* fw_cfg.c (HVM) - what a PC has for its firmware; a guest in place of firmware finds its command line there. */
#include <guest.h>
#include <pc.h>

enum { CMDLINE_SIZE = 0x14, CMDLINE_DATA = 0x15 };

void fw_cfg_read(uint16_t item, void *to, size_t size)
{
    uint8_t *out = to;

    outw(FW_CFG, item);
    while (size--)
        *out++ = inb(FW_CFG + 1);
}

const char *fw_cfg_cmdline(void)
{
    static char text[MAX_GUEST_CMDLINE + 1];
    uint32_t size;

    fw_cfg_read(CMDLINE_SIZE, &size, sizeof(size));
    fw_cfg_read(CMDLINE_DATA, text, size < MAX_GUEST_CMDLINE ? size : MAX_GUEST_CMDLINE);
    return text;
}
