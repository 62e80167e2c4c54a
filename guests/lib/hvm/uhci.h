/* uhci.h (HVM) - a driver of the first UHCI controller, in as little as it takes: one queue, looked at in each frame.
 * Facts: Intel, Universal Host Controller Interface Design Guide 1.1; Universal Serial Bus Specification 2.0, 8 and 9.
 */
#ifndef GUEST_HVM_UHCI_H
#define GUEST_HVM_UHCI_H
#include <stdbool.h>
#include <stdint.h>

enum { UHCI_PORT = 0xc040, UHCI_COMMAND = UHCI_PORT, UHCI_STATUS = UHCI_PORT + 2, UHCI_ENABLE = UHCI_PORT + 4,
       UHCI_NUMBER = UHCI_PORT + 6, UHCI_BASE = UHCI_PORT + 8, UHCI_SOF = UHCI_PORT + 0xc, UHCI_PORTS = UHCI_PORT + 0x10 };
enum { UHCI_RUN = 1, UHCI_RESET = 2, UHCI_DONE = 1, UHCI_FAILED = 2, UHCI_SYSTEM = 8, UHCI_PROCESS = 0x10, UHCI_HALTED = 0x20 };
enum { USB_CONNECTED = 1, USB_CONNECT_CHANGE = 2, USB_ENABLED = 4, USB_ENABLE_CHANGE = 8, USB_PORT_RESET = 0x200 };
enum { LINK_END = 1, LINK_QUEUE = 2, LINK_DEPTH = 4 };
enum { TD_ACTIVE = 1 << 23, TD_STALLED = 1 << 22, TD_NAK = 1 << 19, TD_TIMEOUT = 1 << 18,
       TD_INTERRUPT = 1 << 24, TD_THREE_ERRORS = 3 << 27, TD_SHORT = 1 << 29, TD_LENGTH = 0x7ff };
enum { USB_SETUP = 0x2d, USB_IN = 0x69, USB_OUT = 0xe1 };
enum { USB_GET_STATUS = 0, USB_CLEAR_FEATURE = 1, USB_SET_FEATURE = 3, USB_SET_ADDRESS = 5, USB_GET_DESCRIPTOR = 6,
       USB_GET_CONFIGURATION = 8, USB_SET_CONFIGURATION = 9 };
enum { USB_STALL = -1, USB_SILENCE = -2, USB_WAITS = -3, MOST_TDS = 64, PACKET = 8 };

struct td { uint32_t link, control, token, buffer; } __attribute__((aligned(16)));
struct qh { uint32_t link, element; } __attribute__((aligned(16)));
struct usb_setup { uint8_t kind, request; uint16_t value, index, length; };
extern volatile struct td uhci_tds[MOST_TDS];
extern volatile struct qh uhci_queue;
extern uint32_t uhci_frames[1024];

/* Find the controller, reset it and have it run the queue. */
void uhci_begin(void);
/* Reset a port and enable it. */
void uhci_enable_port(unsigned port);
/* Descriptor `n`: one packet, active, the last one of the queue. */
void uhci_packet(unsigned n, unsigned pid, unsigned device, unsigned endpoint, unsigned toggle, const void *data, unsigned length);
/* Have descriptors 0 to count-1 done in turn, within so many frames; the first that is not done, or count. */
unsigned uhci_run(unsigned count, unsigned frames);
/* How many bytes descriptor `n`, which is done, has moved; why one is not done: USB_STALL, USB_SILENCE, USB_WAITS. */
unsigned uhci_moved(unsigned n);
int uhci_failure(unsigned n);
/* A control transfer of so many bytes of a packet; what it moved, or USB_STALL, USB_SILENCE, USB_WAITS. */
int usb_control(unsigned device, struct usb_setup setup, void *data);
/* Packets of an endpoint (that of IN: with bit 7), each of so many bytes at most; `toggle` goes on. */
int usb_transfer(unsigned device, unsigned endpoint, unsigned *toggle, void *data, unsigned length, unsigned packet);
/* Give the device at a port this address, and its first configuration. */
void usb_configure(unsigned port, unsigned address);

#endif
