/* @title  debug ports
 * @fact   0xe9 and 0x12 print on the console, 0x402 is the firmware's own; 0xe9 and 0x402 read as 0xe9, which says that they
 *         are there; a wider write is one character
 * @source QEMU, hw/char/debugcon.c (readback), hw/i386/xen/xen_platform.c (port 0x12); SeaBIOS, src/output.c (port 0x402)
 * @env    hvm64
 */
#include <guest.h>
#include <pc.h>

enum { FIRMWARE = 0x402, BOCHS = 0xe9, XEN = 0x12, POST = 0x80 };

static void say(uint16_t port, const char *text)
{
    while (*text)
        outb(port, (uint8_t)*text++);
}

void test_main(void)
{
    check_eq(inb(FIRMWARE), 0xe9);
    check_eq(inb(BOCHS), 0xe9);
    outb(POST, 0x5a);
    check_eq(inb(POST), 0x5a);
    require_eq(verdict_failures(), 0);

    /* The verdict itself goes by both ports; a character that was lost, or there twice, would be missed. */
    say(BOCHS, "Test resu");
    outw(BOCHS, 'l' | 'X' << 8);
    say(XEN, "t: SUCC");
    say(BOCHS, "ESS\n");
    say(FIRMWARE, "Test result: FAILURE\n");
    hcall(sched_op, SCHEDOP_shutdown, &(struct sched_shutdown){ SHUTDOWN_poweroff });
    fail("still here");
}
