/* @title  USB: a disk
 * @fact   commands in wrappers of 31 bytes, data, and a status of 13 with the same tag and what was not moved; refusals leave
 *         sense data; what is no wrapper halts both endpoints until the transport is reset
 * @source USB Mass Storage Class, Bulk-Only Transport 1.0, 3.1, 5.1, 5.2, 5.3.4, 6.6.1; SPC-3, 6.4, 6.27; SBC-2, 5.6, 5.10, 5.29
 * @env    hvm64
 * @usb    disk
 */
#include <guest.h>
#include <uhci.h>

enum { DISK = 3, BYTES = 64, SECTOR = 512, SECTORS = 64, FAILED = 1, IN = 0x81, OUT = 2, NO_STATUS = -9 };
enum { TEST_READY = 0, SENSE = 3, INQUIRY = 0x12, CAPACITY = 0x25, READ_10 = 0x28, WRITE_10 = 0x2a, MAX_LUN = 0xfe, RESET = 0xff };

static struct { uint32_t mark, tag, length; uint8_t flags, unit, size, command[16]; } __attribute__((packed)) wrapper;
static struct { uint32_t mark, tag, rest; uint8_t status; } __attribute__((packed)) answer;
static uint8_t data[4 * SECTOR];
static unsigned in_toggle, out_toggle, tag;

static uint32_t big(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static void resume(uint8_t endpoint)
{
    usb_control(DISK, (struct usb_setup){ 2, USB_CLEAR_FEATURE, 0, endpoint, 0 }, NULL);
    *(endpoint == IN ? &in_toggle : &out_toggle) = 0;
}

/* Commands of up to 10 bytes; the status, or NO_STATUS. `length` bytes are expected in `data`, or sent from there. */
static int command(const uint8_t *bytes, unsigned length, bool in)
{
    wrapper.mark = 0x43425355;             /* "USBC" */
    wrapper.tag = ++tag;
    wrapper.length = length;
    wrapper.flags = in ? 0x80 : 0;
    wrapper.size = 10;
    memcpy(wrapper.command, bytes, 10);
    if (usb_transfer(DISK, OUT, &out_toggle, &wrapper, 31, BYTES) != 31)
        return NO_STATUS;
    if (length && usb_transfer(DISK, in ? IN : OUT, in ? &in_toggle : &out_toggle, data, length, BYTES) == USB_STALL)
        resume(in ? IN : OUT);
    if (usb_transfer(DISK, IN, &in_toggle, &answer, 13, BYTES) != 13)
        return NO_STATUS;
    check_eq(answer.mark, 0x53425355);
    check_eq(answer.tag, tag);
    return answer.status;
}

static int blocks(uint8_t op, unsigned first, unsigned count)
{
    return command((uint8_t[10]){ op, 0, 0, 0, 0, (uint8_t)first, 0, 0, (uint8_t)count, 0 }, count * SECTOR, op == READ_10);
}

static void sense_is(unsigned key, unsigned code)
{
    check_eq(command((uint8_t[10]){ SENSE, 0, 0, 0, 18 }, 18, true), 0);
    check_eq(data[2] & 15, key);
    check_eq(data[12], code);
}

static void identity(void)
{
    uint8_t units = 7;

    check_eq(usb_control(DISK, (struct usb_setup){ 0xa1, MAX_LUN, 0, 0, 1 }, &units), 1);
    check_eq(units, 0);
    check_eq(command((uint8_t[10]){ INQUIRY, 0, 0, 0, 36 }, 36, true), 0);
    check_eq(data[0] & 0x1f, 0);           /* a disk */
    check_eq(answer.rest, 0);
    check_eq(command((uint8_t[10]){ INQUIRY, 0, 0, 0, 36 }, 100, true), 0);
    check_eq(answer.rest, 64);             /* more was expected than there is */
    check_eq(command((uint8_t[10]){ TEST_READY }, 0, false), 0);
    check_eq(command((uint8_t[10]){ CAPACITY }, 8, true), 0);
    check_eq(big(data), SECTORS - 1);
    check_eq(big(data + 4), SECTOR);
}

static void reading_and_writing(void)
{
    memset(data, 0x5a, sizeof(data));
    require_eq(blocks(READ_10, 20, 3), 0);
    for (unsigned i = 0; i < 3; i++)
        check_eq(*(uint64_t *)(data + i * SECTOR), 20 + i);
    check_eq(data[3 * SECTOR], 0x5a);
    for (unsigned i = 0; i < 2 * SECTOR; i++)
        data[i] = (uint8_t)(i * 5 + 1);
    require_eq(blocks(WRITE_10, 30, 2), 0);
    check_eq(answer.rest, 0);
    memset(data, 0, sizeof(data));
    require_eq(blocks(READ_10, 29, 4), 0);
    check_eq(*(uint64_t *)data, 29);
    for (unsigned i = 0; i < 2 * SECTOR; i++)
        require_eq(data[SECTOR + i], (uint8_t)(i * 5 + 1));
    check_eq(*(uint64_t *)(data + 3 * SECTOR), 32);
}

static void refusals(void)
{
    check_eq(blocks(READ_10, SECTORS - 1, 2), FAILED);
    check_eq(answer.rest, 2 * SECTOR);     /* nothing of it was moved */
    sense_is(5, 0x21);
    check_eq(command((uint8_t[10]){ 0xee }, 0, false), FAILED);
    sense_is(5, 0x20);
    check_eq(blocks(READ_10, SECTORS - 1, 1), 0);
    sense_is(0, 0);
}

static void recovery(void)
{
    wrapper.mark = 0x12345678;
    check_eq(usb_transfer(DISK, OUT, &out_toggle, &wrapper, 31, BYTES), 31);
    check_eq(usb_transfer(DISK, IN, &in_toggle, &answer, 13, BYTES), USB_STALL);
    resume(IN);                            /* that alone does not help */
    check_eq(usb_transfer(DISK, IN, &in_toggle, &answer, 13, BYTES), USB_STALL);
    check_eq(usb_control(DISK, (struct usb_setup){ 0x21, RESET, 0, 0, 0 }, NULL), 0);
    resume(IN);
    resume(OUT);
    check_eq(command((uint8_t[10]){ TEST_READY }, 0, false), 0);
    require_eq(blocks(READ_10, 7, 1), 0);
    check_eq(data[0], 7);
}

void test_main(void)
{
    uhci_begin();
    usb_configure(0, DISK);
    identity();
    reading_and_writing();
    refusals();
    recovery();
}
