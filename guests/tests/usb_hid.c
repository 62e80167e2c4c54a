/* @title  USB: a tablet and a keyboard
 * @fact   descriptors say what they are and agree with each other; addresses and configurations are obeyed; without news they
 *         answer by NAK, or by a report when it is time; requests that are not theirs stall, halted endpoints too
 * @source Universal Serial Bus Specification 2.0, 8.4.5, 9.2 to 9.6; Device Class Definition for Human Interface Devices 1.11,
 *         6.2, 7.2, appendix B
 * @env    hvm64
 * @usb    tablet keyboard
 */
#include <guest.h>
#include <uhci.h>

enum { DEVICE = 1, CONFIGURATION = 2, STRING = 3, HID = 0x21, REPORT = 0x22, TABLET = 5, KEYBOARD = 6 };
enum { GET_REPORT = 1, GET_IDLE = 2, GET_PROTOCOL = 3, SET_REPORT = 9, SET_IDLE = 10, SET_PROTOCOL = 11, MS = 1000000 };
static uint8_t data[256];

static int request(unsigned device, uint8_t kind, uint8_t number, unsigned value, unsigned index, unsigned length)
{
    return usb_control(device, (struct usb_setup){ kind, number, (uint16_t)value, (uint16_t)index, (uint16_t)length }, data);
}

/* A look at the interrupt endpoint: bytes of a report, or USB_WAITS. */
static int look(unsigned device, unsigned frames)
{
    uhci_packet(0, USB_IN, device, 1, 0, data, 8);
    return uhci_run(1, frames) == 1 ? (int)uhci_moved(0) : uhci_failure(0);
}

static void descriptors(unsigned device, unsigned boot, unsigned protocol, unsigned report_bytes)
{
    uint8_t report_length = 0;
    bool endpoint = false, hid = false;

    check_eq(request(device, 0x80, USB_GET_DESCRIPTOR, DEVICE << 8, 0, 64), 18);
    check_eq(data[4], 0);                                 /* the interface says the class */
    check_eq(data[17], 1);
    uint8_t product = data[15];

    check(request(device, 0x80, USB_GET_DESCRIPTOR, STRING << 8, 0, 64) >= 4);
    check_eq(data[2] | data[3] << 8, 0x0409);
    int length = request(device, 0x80, USB_GET_DESCRIPTOR, STRING << 8 | product, 0x0409, 64);

    check_eq(length, data[0]);
    check_eq(data[1], STRING);
    check(length > 4 && data[3] == 0);
    check_eq(request(device, 0x80, USB_GET_DESCRIPTOR, STRING << 8 | 77, 0, 64), USB_STALL);

    length = request(device, 0x80, USB_GET_DESCRIPTOR, CONFIGURATION << 8, 0, 255);
    check_eq(length, data[2] | data[3] << 8);
    check_eq(data[4], 1);
    for (int at = 0; at < length && data[at]; at += data[at]) {
        const uint8_t *d = data + at;

        if (d[1] == 4) {
            check_eq(d[5], 3);                            /* HID */
            check_eq(d[6], boot);
            check_eq(d[7], protocol);
        } else if (d[1] == HID) {
            hid = d[6] == REPORT;
            report_length = d[7];
        } else if (d[1] == 5) {
            endpoint = d[2] == 0x81 && (d[3] & 3) == 3 && d[4] == report_bytes;
        }
    }
    check(hid && endpoint);
    check_eq(request(device, 0x81, USB_GET_DESCRIPTOR, REPORT << 8, 0, 255), report_length);
    check_eq(data[0] << 8 | data[1], 0x0501);             /* usage page: generic desktop */
    check_eq(data[report_length - 1], 0xc0);              /* the end of a collection */
}

static void addresses(void)
{
    uhci_enable_port(0);
    check_eq(look(0, 6), USB_SILENCE);                    /* not configured */
    check_eq(request(0, 0x80, USB_GET_DESCRIPTOR, DEVICE << 8, 0, 8), 8);
    check_eq(data[0], 18);
    check_eq(request(0, 0, USB_SET_ADDRESS, TABLET, 0, 0), 0);
    check_eq(request(0, 0x80, USB_GET_DESCRIPTOR, DEVICE << 8, 0, 8), USB_SILENCE);
    check_eq(request(TABLET, 0x80, USB_GET_CONFIGURATION, 0, 0, 1), 1);
    check_eq(data[0], 0);
    check_eq(request(TABLET, 0, USB_SET_CONFIGURATION, 2, 0, 0), USB_STALL);
    check_eq(request(TABLET, 0, USB_SET_CONFIGURATION, 1, 0, 0), 0);
    check_eq(request(TABLET, 0x80, USB_GET_CONFIGURATION, 0, 0, 1), 1);
    check_eq(data[0], 1);
}

static void waiting(unsigned device, int report_bytes)
{
    check_eq(look(device, 6), USB_WAITS);
    check_eq(uhci_tds[0].control & (TD_ACTIVE | TD_NAK), TD_ACTIVE | TD_NAK);
    check_eq(request(device, 0x21, SET_IDLE, 5 << 8, 0, 0), 0);           /* 20 ms */
    check_eq(request(device, 0xa1, GET_IDLE, 0, 0, 1), 1);
    check_eq(data[0], 5);
    check_eq(look(device, 40), report_bytes);
    check_eq(look(device, 10), USB_WAITS);
    check_eq(look(device, 30), report_bytes);
    check_eq(request(device, 0x21, SET_IDLE, 0, 0, 0), 0);
    apic_sleep(50 * MS);
    check_eq(look(device, 6), USB_WAITS);
    check_eq(request(device, 0xa1, GET_REPORT, 1 << 8, 0, 64), report_bytes);

    check_eq(request(device, 2, USB_SET_FEATURE, 0, 0x81, 0), 0);         /* halt */
    check_eq(request(device, 0x82, USB_GET_STATUS, 0, 0x81, 2), 2);
    check_eq(data[0], 1);
    check_eq(look(device, 6), USB_STALL);
    check_eq(request(device, 2, USB_CLEAR_FEATURE, 0, 0x81, 0), 0);
    check_eq(look(device, 6), USB_WAITS);
    check_eq(request(device, 0xc0, 0x33, 0, 0, 4), USB_STALL);
}

void test_main(void)
{
    uhci_begin();
    addresses();
    descriptors(TABLET, 0, 0, 6);
    waiting(TABLET, 6);
    usb_configure(1, KEYBOARD);
    descriptors(KEYBOARD, 1, 1, 8);
    waiting(KEYBOARD, 8);
    check_eq(request(KEYBOARD, 0xa1, GET_PROTOCOL, 0, 0, 1), 1);
    check_eq(data[0], 1);                                 /* reports, as after a reset */
    check_eq(request(KEYBOARD, 0x21, SET_PROTOCOL, 0, 0, 0), 0);
    check_eq(request(KEYBOARD, 0xa1, GET_PROTOCOL, 0, 0, 1), 1);
    check_eq(data[0], 0);
    data[0] = 2;                                          /* a lamp */
    check_eq(request(KEYBOARD, 0x21, SET_REPORT, 2 << 8, 0, 1), 1);
    check_eq(request(KEYBOARD, 0x80, USB_GET_STATUS, 0, 0, 2), 2);
    check_eq(data[0] & 2, 0);                             /* remote wakeup is off */
    check_eq(request(KEYBOARD, 0, USB_SET_FEATURE, 1, 0, 0), 0);
    check_eq(request(KEYBOARD, 0x80, USB_GET_STATUS, 0, 0, 2), 2);
    check_eq(data[0] & 2, 2);

    /* A reset of the port: address 0 again. */
    uhci_enable_port(1);
    check_eq(request(KEYBOARD, 0x80, USB_GET_STATUS, 0, 0, 2), USB_SILENCE);
    check_eq(request(0, 0x80, USB_GET_DESCRIPTOR, DEVICE << 8, 0, 8), 8);
}
