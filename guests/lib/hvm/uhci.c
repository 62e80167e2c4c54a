/* uhci.c (HVM) - transfers on the USB. */
#include <guest.h>
#include <pc.h>
#include <uhci.h>

enum { MS = 1000000, SLOT = 1, FUNCTION = 2, ID = 0x70208086 };
volatile struct td uhci_tds[MOST_TDS];
volatile struct qh uhci_queue;
uint32_t uhci_frames[1024] __attribute__((aligned(4096)));

static uint32_t phys(const volatile void *p) { return (uint32_t)(unsigned long)p; }

void uhci_begin(void)
{
    unsigned function = PCI_FUNCTION(SLOT, FUNCTION);

    if (pci_read(function, 0) != ID)
        broken("there is no USB controller");
    pci_write(function, 0x20, UHCI_PORT);
    pci_write(function, 4, 5);
    outw(UHCI_COMMAND, UHCI_RESET);
    for (unsigned turns = 0; inw(UHCI_COMMAND) & UHCI_RESET; turns++) {
        if (turns == 100)
            fail("the controller's reset does not end");
        outw(UHCI_COMMAND, 0);
    }
    uhci_queue = (struct qh){ LINK_END, LINK_END };
    for (unsigned i = 0; i < 1024; i++)
        uhci_frames[i] = phys(&uhci_queue) | LINK_QUEUE;
    outl(UHCI_BASE, phys(uhci_frames));
    outw(UHCI_ENABLE, 0xf);
    outw(UHCI_COMMAND, UHCI_RUN);
}

void uhci_enable_port(unsigned port)
{
    uint16_t at = (uint16_t)(UHCI_PORTS + 2 * port);

    outw(at, USB_PORT_RESET);
    apic_sleep(50 * MS);
    outw(at, 0);
    apic_sleep(10 * MS);
    outw(at, USB_CONNECT_CHANGE | USB_ENABLE_CHANGE | USB_ENABLED);
}

void uhci_packet(unsigned n, unsigned pid, unsigned device, unsigned endpoint, unsigned toggle, const void *data, unsigned length)
{
    if (n > 0)
        uhci_tds[n - 1].link = phys(&uhci_tds[n]) | LINK_DEPTH;
    uhci_tds[n] = (struct td){
        .link = LINK_END, .control = TD_ACTIVE | TD_THREE_ERRORS | TD_SHORT,
        .token = pid | device << 8 | endpoint << 15 | toggle << 19 | ((length - 1) & TD_LENGTH) << 21, .buffer = phys(data),
    };
}

/* Whether descriptor `n` is done; `*last`: nothing behind it will be. */
static bool finished(unsigned n, bool *last)
{
    uint32_t token = uhci_tds[n].token, control = uhci_tds[n].control;
    bool in = (token & 0xff) == USB_IN;

    if (control & (TD_ACTIVE | TD_STALLED)) {
        *last = control & TD_STALLED;
        return false;
    }
    *last = in && ((control + 1) & TD_LENGTH) < (((token >> 21) + 1) & TD_LENGTH);        /* a short packet */
    return true;
}

unsigned uhci_run(unsigned count, unsigned frames)
{
    unsigned n = 0;
    bool last = false;

    uhci_queue.element = phys(&uhci_tds[0]);
    for (unsigned frame = 0; frame < frames && n < count && !last; frame++) {
        apic_sleep(MS);
        while (n < count && !last && finished(n, &last))
            n++;
    }
    uhci_queue.element = LINK_END;
    return n;
}

int uhci_failure(unsigned n)
{
    uint32_t control = uhci_tds[n].control;

    return control & TD_TIMEOUT ? USB_SILENCE : control & TD_STALLED ? USB_STALL : USB_WAITS;
}

unsigned uhci_moved(unsigned n) { return (uhci_tds[n].control + 1) & TD_LENGTH; }

int usb_control(unsigned device, struct usb_setup setup, void *data)
{
    static struct usb_setup sent;
    unsigned in = setup.kind & 0x80, n = 1, total = 0;

    sent = setup;
    uhci_packet(0, USB_SETUP, device, 0, 0, &sent, sizeof(sent));
    for (unsigned at = 0; at < setup.length; at += PACKET, n++)
        uhci_packet(n, in ? USB_IN : USB_OUT, device, 0, n & 1, (char *)data + at,
                    setup.length - at < PACKET ? setup.length - at : PACKET);
    unsigned done = uhci_run(n, 100);

    for (unsigned i = 1; i < done; i++)
        total += uhci_moved(i);
    if (done < n && !(done > 1 && in && uhci_moved(done - 1) < PACKET))
        return uhci_failure(done);
    uhci_packet(0, in && setup.length ? USB_OUT : USB_IN, device, 0, 1, NULL, 0);
    return uhci_run(1, 100) == 1 ? (int)total : uhci_failure(0);
}

int usb_transfer(unsigned device, unsigned endpoint, unsigned *toggle, void *data, unsigned length, unsigned packet)
{
    unsigned n = 0, total = 0;

    for (unsigned at = 0; at < length; at += packet, n++) {
        uhci_packet(n, endpoint & 0x80 ? USB_IN : USB_OUT, device, endpoint & 0xf, *toggle, (char *)data + at,
                    length - at < packet ? length - at : packet);
        *toggle ^= 1;
    }
    unsigned done = uhci_run(n, 40);

    for (unsigned i = 0; i < done; i++)
        total += uhci_moved(i);
    *toggle ^= (n - done) & 1;
    return done == n || (done > 0 && uhci_moved(done - 1) < packet) ? (int)total : uhci_failure(done);
}

void usb_configure(unsigned port, unsigned address)
{
    uhci_enable_port(port);
    if (usb_control(0, (struct usb_setup){ 0, USB_SET_ADDRESS, (uint16_t)address, 0, 0 }, NULL) != 0 ||
        usb_control(address, (struct usb_setup){ 0, USB_SET_CONFIGURATION, 1, 0, 0 }, NULL) != 0)
        fail("the device at port %u cannot be configured", port);
}
