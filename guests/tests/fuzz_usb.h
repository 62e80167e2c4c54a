/* fuzz_usb.h - transfer lists for fuzz_devices.c as a UHCI driver makes them, with some of their numbers replaced.
 *
 * The controller writes into its lists. So a link leads to what it says that it leads to, in memory that nobody else
 * writes to, or to where no RAM is; circles of any kind are among them.
 */
#ifndef FUZZ_USB_H
#define FUZZ_USB_H
#include "fuzz_devices.h"

enum { USB_LISTS = 16, USB_LINKS = 1024, USB_TDS = 256, USB_QHS = 32 };
enum { UHCI_COMMAND = 0, UHCI_STATUS = 2, UHCI_INTERRUPTS = 4, UHCI_NUMBER = 6, UHCI_BASE = 8, UHCI_PORTS = 0x10 };
enum { LINK_TERMINATE = 1, LINK_QUEUE = 2, LINK_DEPTH = 4 };
enum { PID_SETUP = 0x2d, PID_IN = 0x69, PID_OUT = 0xe1 };

struct usb_td { uint32_t link, control, token, buffer, own[4]; };
struct usb_qh { uint32_t head, element, own[2]; };

#define usb_frames ((uint32_t (*)[USB_LINKS])USB_FRAME_LISTS)
#define usb_tds ((struct usb_td *)USB_TRANSFERS)
#define usb_qhs ((struct usb_qh *)USB_QUEUES)

static uint32_t usb_link(void)
{
    if (one_in(8))
        return (uint32_t)wild() | (one_in(2) ? LINK_TERMINATE : (uint32_t)NOWHERE);
    if (one_in(3))
        return (uint32_t)(uintptr_t)&usb_qhs[below(USB_QHS)] | LINK_QUEUE;
    return (uint32_t)(uintptr_t)&usb_tds[below(USB_TDS)] | (one_in(2) ? LINK_DEPTH : 0);
}

/* Once: every link leads somewhere. */
static void usb_lists(void)
{
    for (unsigned i = 0; i < USB_QHS; i++)
        usb_qhs[i].head = usb_qhs[i].element = LINK_TERMINATE;
    for (unsigned i = 0; i < USB_TDS; i++)
        usb_tds[i].link = LINK_TERMINATE;
    for (unsigned list = 0; list < USB_LISTS; list++)
        for (unsigned i = 0; i < USB_LINKS; i++)
            usb_frames[list][i] = (uint32_t)(uintptr_t)&usb_qhs[below(USB_QHS)] | LINK_QUEUE;
}

/* What goes before the data: a request of chapter 9 and of the HID and mass storage classes, or a command block. */
static uint64_t usb_words(bool setup)
{
    static const uint8_t requests[][8] = {
        { 0x80, 6, 0, 1, 0, 0, 18, 0 }, { 0x80, 6, 0, 2, 0, 0, 64, 0 }, { 0x80, 6, 1, 3, 9, 4, 255, 0 },
        { 0x81, 6, 0, 0x22, 0, 0, 128, 0 }, { 0, 5, 1, 0, 0, 0, 0, 0 }, { 0, 5, 0, 0, 0, 0, 0, 0 },
        { 0, 9, 1, 0, 0, 0, 0, 0 }, { 0, 9, 0, 0, 0, 0, 0, 0 }, { 0x80, 8, 0, 0, 0, 0, 1, 0 },
        { 0x80, 0, 0, 0, 0, 0, 2, 0 }, { 0x82, 0, 0, 0, 0x81, 0, 2, 0 }, { 2, 1, 0, 0, 0x81, 0, 0, 0 },
        { 2, 3, 0, 0, 2, 0, 0, 0 }, { 0xa1, 0xfe, 0, 0, 0, 0, 1, 0 }, { 0x21, 0xff, 0, 0, 0, 0, 0, 0 },
        { 0x21, 10, 4, 0, 0, 0, 0, 0 }, { 0x21, 11, 0, 0, 0, 0, 0, 0 }, { 0xa1, 1, 0, 1, 0, 0, 8, 0 },
        { 0x21, 9, 0, 2, 0, 0, 1, 0 }, { 0x81, 10, 0, 0, 0, 0, 1, 0 }, { 0, 3, 1, 0, 0, 0, 0, 0 } };
    static const uint8_t commands[] = { 0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x23, 0x25, 0x28, 0x28, 0x2a, 0x2a, 0x2f,
                                        0x35, 0x5a, 0x88, 0x8a, 0x9e, 0xa8, 0xaa };
    uint64_t at = DATA + below(DATA_BYTES - 2048);
    uint8_t *bytes = (uint8_t *)at;

    if (setup) {
        memcpy(bytes, requests[below(ARRAY_SIZE(requests))], 8);
    } else {
        memset(bytes, 0, 31);
        memcpy(bytes, "USBC", 4);
        *(uint32_t *)(at + 8) = one_in(4) ? (uint32_t)wild() : 512u << below(5);
        bytes[12] = one_in(2) ? 0x80 : 0;
        bytes[14] = one_in(4) ? (uint8_t)wild() : 10;
        bytes[15] = pick(commands);
        bytes[20] = (uint8_t)below(4);
        bytes[23] = (uint8_t)below(one_in(6) ? 256 : 8);
    }
    if (one_in(4))
        bytes[below(setup ? 8 : 31)] = (uint8_t)wild();
    return at;
}

static void usb_transfer(struct usb_td *td, uint32_t next, uint8_t pid, uint32_t device, uint64_t buffer,
                         uint32_t length)
{
    uint32_t toggle = pid == PID_SETUP ? 0 : (uint32_t)below(2);

    td->link = next;
    td->control = one_in(10) ? (uint32_t)wild() : 1u << 23 | (uint32_t)below(4) << 27 | (one_in(2) ? 1u << 24 : 0) |
                                                      (one_in(3) ? 1u << 29 : 0);
    td->token = one_in(12) ? (uint32_t)wild() : pid | device << 8 | toggle << 19 | ((length - 1) & 0x7ff) << 21;
    td->buffer = (uint32_t)buffer;
}

/* A queue of some packets, in some frames of a list. */
static void usb_queue(unsigned list, unsigned from)
{
    struct usb_qh *queue = &usb_qhs[below(USB_QHS)];
    unsigned at = (unsigned)below(USB_TDS), number = 2 + (unsigned)below(6);
    bool control = one_in(3), known = !one_in(4);
    uint32_t device = known ? 1 + (uint32_t)below(2) : (uint32_t)below(128);
    uint32_t out = known ? 2 : (uint32_t)below(16), in = known ? 1 : out;

    for (unsigned i = 0; i < number; i++) {
        struct usb_td *td = &usb_tds[(at + i) % USB_TDS];
        uint32_t length = one_in(3) ? (uint32_t)below(1400) : 8u << below(4);
        uint32_t behind = (uint32_t)(uintptr_t)&usb_tds[(at + i + 1) % USB_TDS];
        uint32_t next = i + 1 == number ? LINK_TERMINATE : behind | LINK_DEPTH;

        if (i == 0)
            usb_transfer(td, next, control ? PID_SETUP : PID_OUT, device | (control ? 0 : out << 7), usb_words(control),
                         control ? 8 : 31);
        else if (one_in(2))
            usb_transfer(td, one_in(10) ? usb_link() : next, PID_IN, device | (control ? 0 : in << 7), dma_address(),
                         length);
        else
            usb_transfer(td, next, PID_OUT, device | (control ? 0 : out << 7), dma_address(), length);
    }
    queue->head = one_in(3) ? usb_link() : LINK_TERMINATE;
    queue->element = (uint32_t)(uintptr_t)&usb_tds[at];
    for (unsigned i = 0; i < 4; i++)
        usb_frames[list][(from + i) % USB_LINKS] = (uint32_t)(uintptr_t)queue | LINK_QUEUE;
}

/* The controller works for some frames. */
static void usb_run(unsigned list, unsigned from)
{
    struct sched_poll poll = { .nr_ports = 0, .timeout = clock_ns() + 1000000 * (1 + below(5)) };

    for (unsigned port = UHCI_PORTS; port < UHCI_PORTS + 4; port += 2) {
        if (one_in(16)) {
            port_out(USB_IO + port, 2, 0x200);
            port_out(USB_IO + port, 2, 0);
        }
        port_out(USB_IO + port, 2, one_in(20) ? (uint32_t)wild() : 0x0e);
    }
    port_out(USB_IO + UHCI_STATUS, 2, 0xff);
    port_out(USB_IO + UHCI_INTERRUPTS, 2, (uint32_t)below(16));
    port_out(USB_IO + UHCI_NUMBER, 2, one_in(8) ? (uint32_t)wild() : from);
    port_out(USB_IO + UHCI_BASE, 4, one_in(16) ? (uint32_t)wild() : list << 12);
    port_out(USB_IO + UHCI_COMMAND, 2, one_in(10) ? (uint32_t)wild() : 0xc1);
    hcall(sched_op, SCHEDOP_poll, &poll);
    (void)port_in(USB_IO + UHCI_STATUS, 2);
}

/* What a driver does first: a port is reset, and its device gets address port + 1 and a configuration. */
static void usb_configure(unsigned list, unsigned from, unsigned port)
{
    static uint8_t requests[2][8] = { { 0, 5, 0, 0, 0, 0, 0, 0 }, { 0, 9, 1, 0, 0, 0, 0, 0 } };
    unsigned at = (unsigned)below(USB_TDS - 4);

    requests[0][2] = (uint8_t)(port + 1);
    for (unsigned i = 0; i < 4; i++)
        usb_tds[at + i] = (struct usb_td){
            .link = i < 3 ? (uint32_t)(uintptr_t)&usb_tds[at + i + 1] | LINK_DEPTH : LINK_TERMINATE,
            .control = 1u << 23,
            .token = i % 2 ? PID_IN | 1u << 19 | 0x7ffu << 21 | (i / 2 ? (port + 1) << 8 : 0)
                           : PID_SETUP | 7u << 21 | (i / 2 ? (port + 1) << 8 : 0),
            .buffer = (uint32_t)(uintptr_t)requests[i / 2],
        };
    usb_qhs[0] = (struct usb_qh){ .head = LINK_TERMINATE, .element = (uint32_t)(uintptr_t)&usb_tds[at] };
    for (unsigned i = 0; i < 4; i++)
        usb_frames[list][(from + i) % USB_LINKS] = (uint32_t)(uintptr_t)&usb_qhs[0] | LINK_QUEUE;
    port_out(USB_IO + UHCI_PORTS + 2 * port, 2, 0x200);
    port_out(USB_IO + UHCI_PORTS + 2 * port, 2, 0);
    usb_run(list, from);
}

static void usb(void)
{
    unsigned list = (unsigned)below(USB_LISTS), from = (unsigned)below(USB_LINKS);

    if (one_in(6))
        for (unsigned port = 0; port < 2; port++)
            usb_configure(list, from, port);
    usb_queue(list, from);
    usb_queue(list, from + 4);
    usb_run(list, from);
}

#endif
