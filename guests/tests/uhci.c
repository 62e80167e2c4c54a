/* @title  UHCI: registers, frames, errors
 * @fact   a frame each millisecond while the controller runs; ports tell of devices; what is done, short or wrong interrupts as
 *         it is enabled; nobody's answer is counted three times; lists that are nowhere stop the controller
 * @source Intel, Universal Host Controller Interface Design Guide 1.1: 2.1 (registers), 2.1.7 (ports), 3.2 (transfer descriptor),
 *         3.4.2 (queues), 4 (interrupts)
 * @env    hvm64
 * @usb    tablet
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>
#include <uhci.h>

enum { IRQ = 11, NUMBERS = 0x7ff, MS = 1000000, NOBODY = 99, NOWHERE = 0x80000000 };
static uint8_t data[64];

static bool line(void) { return pic_requests() >> IRQ & 1; }

static void clear(void)
{
    outw(UHCI_STATUS, 0x1f);
    check(!line());
}

static void registers(void)
{
    unsigned function = PCI_FUNCTION(1, 2);

    check_eq(pci_read(function, 8) >> 8, 0x0c0300);
    check_eq(pci_read(function, 0x60) & 0xff, 0x10);      /* USB 1.0 */
    pci_write(function, 0x20, 0xffffffff);
    check_eq(pci_read(function, 0x20), 0xffffffe1);
    uhci_begin();
    outw(UHCI_COMMAND, 0);
    check_eq(inw(UHCI_STATUS) & UHCI_HALTED, UHCI_HALTED);
    check_eq(inb(UHCI_SOF), 0x40);
    outw(UHCI_NUMBER, 100);
    apic_sleep(5 * MS);
    check_eq(inw(UHCI_NUMBER) & NUMBERS, 100);
    outw(UHCI_COMMAND, UHCI_RUN);
    check_eq(inw(UHCI_STATUS) & UHCI_HALTED, 0);
    apic_sleep(20 * MS);
    unsigned number = inw(UHCI_NUMBER) & NUMBERS;

    check(number >= 119 && number <= 121);
    outw(UHCI_NUMBER, 7);                                 /* not while it runs */
    check((inw(UHCI_NUMBER) & NUMBERS) >= number);
}

static void ports(void)
{
    check_eq(inw(UHCI_PORTS) & (USB_CONNECTED | USB_CONNECT_CHANGE | USB_ENABLED), USB_CONNECTED | USB_CONNECT_CHANGE);
    check_eq(inw(UHCI_PORTS) & 0x80, 0x80);               /* that a port is there */
    check_eq(inw(UHCI_PORTS + 2) & (USB_CONNECTED | 0x80), 0x80);
    outw(UHCI_PORTS + 2, USB_ENABLED);
    check_eq(inw(UHCI_PORTS + 2) & USB_ENABLED, 0);
    uhci_packet(0, USB_SETUP, 0, 0, 0, &(struct usb_setup){ 0x80, USB_GET_DESCRIPTOR, 0x100, 0, 8 }, 8);
    check_eq(uhci_run(1, 10), 0);                         /* a port that is not enabled is deaf */
    check_eq(uhci_tds[0].control & (TD_STALLED | TD_TIMEOUT), TD_STALLED | TD_TIMEOUT);
    uhci_enable_port(0);
    check_eq(inw(UHCI_PORTS) & (USB_CONNECTED | USB_CONNECT_CHANGE | USB_ENABLED), USB_CONNECTED | USB_ENABLED);
}

static void transfers(void)
{
    struct usb_setup ask = { 0x80, USB_GET_DESCRIPTOR, 0x100, 0, sizeof(data) };

    clear();
    uhci_packet(0, USB_SETUP, 0, 0, 0, &ask, 8);
    uhci_tds[0].control |= TD_INTERRUPT;
    uint64_t start = clock_ns();

    uhci_queue.element = (uint32_t)(unsigned long)&uhci_tds[0];
    while (!line())
        require(clock_ns() - start < 5 * MS);
    check_eq(inw(UHCI_STATUS), UHCI_DONE);
    check_eq(uhci_tds[0].control & (TD_ACTIVE | TD_STALLED | TD_LENGTH), 7);
    check_eq(uhci_queue.element & LINK_END, LINK_END);    /* the queue has moved on */
    clear();
    outw(UHCI_ENABLE, 0);
    uhci_packet(0, USB_SETUP, 0, 0, 0, &ask, 8);
    uhci_tds[0].control |= TD_INTERRUPT;
    check_eq(uhci_run(1, 10), 1);
    check(!line());
    check_eq(inw(UHCI_STATUS) & UHCI_DONE, UHCI_DONE);
    outw(UHCI_ENABLE, 0xf);
    check(line());
    clear();

    /* 18 bytes where there is room for 24: the packet that is short ends the queue, and says so. */
    uhci_packet(0, USB_SETUP, 0, 0, 0, &ask, 8);
    for (unsigned i = 0; i < 4; i++)
        uhci_packet(1 + i, USB_IN, 0, 0, ~i & 1, data + 8 * i, 8);
    check_eq(uhci_run(5, 20), 4);
    check_eq(uhci_tds[3].control & TD_LENGTH, 1);
    check_eq(uhci_tds[4].control & TD_ACTIVE, TD_ACTIVE);
    check_eq(data[0], 18);
    check_eq(data[1], 1);
    check_eq(data[7], 8);                                 /* bytes a packet of endpoint 0 */
    check(line());
    check_eq(inw(UHCI_STATUS), UHCI_DONE);
    clear();
}

static void errors(void)
{
    uhci_packet(0, USB_IN, NOBODY, 1, 0, data, 8);
    check_eq(uhci_run(1, 2), 0);
    check_eq(uhci_tds[0].control & (TD_ACTIVE | TD_TIMEOUT), TD_ACTIVE | TD_TIMEOUT);     /* it is tried again */
    check(!line());
    check_eq(uhci_run(1, 4), 0);
    check_eq(uhci_tds[0].control & (TD_ACTIVE | TD_STALLED | TD_TIMEOUT | TD_THREE_ERRORS), TD_STALLED | TD_TIMEOUT);
    check(line());
    check_eq(inw(UHCI_STATUS), UHCI_FAILED);
    clear();
    check_eq(usb_control(0, (struct usb_setup){ 0xc0, 0x77, 0, 0, 8 }, data), USB_STALL);
    check_eq(inw(UHCI_STATUS) & UHCI_FAILED, UHCI_FAILED);
    clear();

    /* No packet has this identifier. */
    uhci_packet(0, 0x55, 0, 0, 0, data, 8);
    uhci_queue.element = (uint32_t)(unsigned long)&uhci_tds[0];
    apic_sleep(2 * MS);
    check_eq(inw(UHCI_STATUS) & (UHCI_PROCESS | UHCI_HALTED), UHCI_PROCESS | UHCI_HALTED);
    check_eq(inw(UHCI_COMMAND) & UHCI_RUN, 0);
    check(line());
    uhci_queue.element = LINK_END;
    outw(UHCI_STATUS, UHCI_PROCESS);
    outw(UHCI_COMMAND, UHCI_RUN);
    check_eq(inw(UHCI_STATUS), 0);
    uhci_queue.element = NOWHERE;
    apic_sleep(2 * MS);
    check_eq(inw(UHCI_STATUS) & (UHCI_SYSTEM | UHCI_HALTED), UHCI_SYSTEM | UHCI_HALTED);
    outw(UHCI_COMMAND, UHCI_RESET);
    outw(UHCI_COMMAND, 0);
    check_eq(inw(UHCI_STATUS), UHCI_HALTED);
    check(!line());
    check_eq(inw(UHCI_PORTS) & USB_ENABLED, 0);
}

void test_main(void)
{
    pic_init(ICW4_8086);
    pci_links_to(IRQ);
    registers();
    ports();
    transfers();
    errors();
}
