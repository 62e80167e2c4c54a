/* @title  8259A: automatic end, level-triggered lines, initialisation
 * @fact   with AEOI nothing stays in service, with rotation what was served is the lowest; a line that ELCR makes level-
 *         triggered asks until it is low; ICW1 begins anew
 * @source Intel 8259A data sheet: Automatic end of interrupt mode, Initialization command words; PIIX3 data sheet, ELCR1
 *         and ELCR2
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

void test_main(void)
{
    pic_init(ICW4_8086 | ICW4_AUTO_EOI);
    pic_unmask(1 << 3 | 1 << 4);
    line_set(3, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    check_eq(pic_in_service(), 0);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);

    outb(PIC1, OCW2_AUTO_ROTATE);
    line_set(3, false);
    line_set(3, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    line_set(3, false);
    line_set(3, true);
    line_set(4, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);

    /* The timer, the keyboard, the cascade, the clock and the coprocessor have edges for ever. */
    outb(ELCR1, 0xff);
    outb(ELCR2, 0xff);
    check_eq(inb(ELCR1), 0xf8);
    check_eq(inb(ELCR2), 0xde);
    outb(ELCR1, 1 << 4);
    outb(ELCR2, 0);
    pic_init(ICW4_8086);
    pic_unmask(1 << 3 | 1 << 4);
    check_eq(pic_requests() & 0x18, 1 << 4);              /* the edge of 3 is forgotten, the level of 4 stands */
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);
    check_eq(pic_requests() & 1 << 4, 1 << 4);
    outb(PIC1, OCW2_EOI);
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);
    line_set(4, false);
    outb(PIC1, OCW2_EOI);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);

    /* ICW1 clears masks and what is in service, and reading gives requests again. */
    line_set(4, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);
    check_eq(pic_in_service(), 1 << 4);
    outb(PIC1, 0x11);
    check_eq(inb(PIC1) & 1 << 4, 1 << 4);
    outb(PIC1 + 1, PIC_VECTOR);
    outb(PIC1 + 1, 4);
    outb(PIC1 + 1, ICW4_8086);
    check_eq(inb(PIC1 + 1), 0);
    check_eq(pic_in_service(), 0);
    outb(ELCR1, 0);
}
