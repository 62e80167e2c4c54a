/* @title  8259A: priorities
 * @fact   the highest request that is not masked is served, a higher one interrupts it; the end of an interrupt and the
 *         rotations change what comes next
 * @source Intel 8259A data sheet: Fully nested mode, End of interrupt, Automatic and specific rotation, Interrupt masks,
 *         Poll command
 * @env    hvm64 hvm32
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

static void none_in_service(void)
{
    line_set(3, false);
    line_set(4, false);
    for (unsigned i = 0; i < 8; i++)
        outb(PIC1, OCW2_EOI);
    require_eq(pic_in_service(), 0);
}

void test_main(void)
{
    pic_init(ICW4_8086);
    check_eq(inb(PIC1 + 1), 0xff);
    pic_unmask(1 << 3 | 1 << 4);
    check_eq(inb(PIC1 + 1), 0xe7);
    line_set(4, true);
    line_set(3, true);
    check_eq(pic_requests() & 0x18, 0x18);

    /* Fully nested: 3 before 4, and nothing below what is in service. */
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    check_eq(pic_in_service(), 1 << 3);
    check_eq(pic_requests() & 0x18, 1 << 4);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);
    outb(PIC1, OCW2_EOI);
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);
    line_set(3, false);
    line_set(3, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    check_eq(pic_in_service(), 1 << 3 | 1 << 4);
    outb(PIC1, OCW2_SPECIFIC | 4);
    check_eq(pic_in_service(), 1 << 3);

    /* An edge is one request, and only while its line is high; a masked one waits. */
    outb(PIC1, OCW2_EOI);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);
    line_set(4, false);
    line_set(4, true);
    line_set(4, false);
    check_eq(pic_requests() & 1 << 4, 0);
    pic_unmask(1 << 3);
    line_set(4, true);
    check_eq(pic_requests() & 1 << 4, 1 << 4);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);
    pic_unmask(1 << 3 | 1 << 4);
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);

    /* Special mask mode: what is in service and masked keeps nobody out. */
    outb(PIC1, OCW2_LOWEST | 3);
    line_set(3, false);
    line_set(3, true);
    pic_unmask(1 << 3);
    check_eq(pic_poll(PIC1) & POLL_FOUND, 0);
    outb(PIC1, OCW3_SPECIAL);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    outb(PIC1, OCW3_NORMAL);
    pic_unmask(1 << 3 | 1 << 4);
    none_in_service();

    /* Specific rotation: 3 is the lowest, 4 the highest. Rotation at the end: what was served is the lowest. */
    line_set(3, true);
    line_set(4, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 4);
    outb(PIC1, OCW2_ROTATE_EOI);
    line_set(4, false);
    line_set(4, true);
    check_eq(pic_poll(PIC1), POLL_FOUND | 3);
    none_in_service();
}
