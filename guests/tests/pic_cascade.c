/* @title  8259A: the second controller
 * @fact   its requests come by input 2 of the first one, and with a vector of its own; both want an end. In special fully
 *         nested mode a higher one of its lines interrupts a lower one
 * @source Intel 8259A data sheet: Cascade mode, The special fully nested mode
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <kbc.h>
#include <pc.h>

enum { MOUSE = 12, CLOCK = 8, CLOCK_PERIODIC = 0x40 };

static void mouse_line(bool high)
{
    if (high)
        kbc_command_with(KBC_TO_MOUSE_BUFFER, 0x11);
    else
        inb(KBC_DATA);
}

static void clock_line_goes_up(void)
{
    rtc_write(0xa, 0x23);                              /* every 122 us */
    rtc_write(0xb, CLOCK_PERIODIC | 2);
    apic_sleep(200000);
    check_eq(pic_requests() >> CLOCK & 1, 1);
}

void test_main(void)
{
    kbc_command_with(KBC_WRITE_COMMAND_BYTE, KBC_ON_KEYBOARD | KBC_ON_MOUSE);
    pic_init(ICW4_8086);
    pic_unmask(1 << MOUSE | 1 << CLOCK | 1 << 3);
    mouse_line(true);
    check_eq(pic_requests() & ~3u, 1 << MOUSE | 1 << 2);
    line_set(3, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 2);          /* the cascade comes before input 3 */
    check_eq(pic_poll(PIC2), POLL_FOUND | (MOUSE - 8));
    check_eq(pic_in_service(), 1 << MOUSE | 1 << 2);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);
    outb(PIC2, OCW2_EOI);
    check_eq(pic_in_service(), 1 << 2);
    outb(PIC1, OCW2_EOI);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    line_set(3, false);
    outb(PIC1, OCW2_EOI);

    /* While one of its lines is served, the first controller is deaf to it... */
    mouse_line(false);
    mouse_line(true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 2);
    check_eq(pic_poll(PIC2), POLL_FOUND | (MOUSE - 8));
    clock_line_goes_up();
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);
    /* ...unless it is told that it is a controller that is there. */
    mouse_line(false);
    rtc_read(0xc);
    pic_init(ICW4_8086 | ICW4_NESTED);
    pic_unmask(1 << MOUSE | 1 << CLOCK);
    mouse_line(true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 2);
    check_eq(pic_poll(PIC2), POLL_FOUND | (MOUSE - 8));
    clock_line_goes_up();
    check_eq(pic_poll(PIC1), POLL_FOUND | 2);
    check_eq(pic_poll(PIC2), POLL_FOUND | (CLOCK - 8));
    outb(PIC2, OCW2_EOI);
    outb(PIC2, OCW2_EOI);
    outb(PIC1, OCW2_EOI);
    rtc_write(0xb, 2);
    rtc_read(0xc);
    mouse_line(false);

    /* To a processor it is a vector behind the second controller's own. */
    pic_init(ICW4_8086);
    pic_unmask(1 << MOUSE);
    pic_connect();
    mouse_line(true);
    check(interrupt_halt(PIC_VECTOR + MOUSE, 1));
    check_eq(pic_in_service(), 1 << MOUSE | 1 << 2);
    check_eq(interrupt_count(PIC_VECTOR + 2), 0);
}
