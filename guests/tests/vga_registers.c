/* @title  VGA: registers
 * @fact   indexed registers keep their bits; CRTC 0x11 protects others; one port takes the attribute controller's index and
 *         data in turn; colours go in and out by three bytes; the status follows the beam
 * @source IBM PS/2 Hardware Interface Technical Reference, Video Subsystem: CRT controller, Attribute controller, Video
 *         digital-to-analog converter, Input status register 1
 * @env    hvm64
 */
#include <guest.h>
#include <pc.h>

enum { MISC_IN = 0x3cc, MISC_OUT = 0x3c2, ATTRIBUTE = 0x3c0, ATTRIBUTE_IN = 0x3c1, SEQUENCER = 0x3c4, PEL_MASK = 0x3c6,
       DAC_READ = 0x3c7, DAC_WRITE = 0x3c8, DAC_DATA = 0x3c9, CRTC = 0x3d4, MONO_CRTC = 0x3b4, STATUS = 0x3da };
enum { COLOR = 1, RAM = 2, CLOCK_28 = 0x64, PROTECT = 0x80, RETRACE = 8, NOT_SHOWN = 1 };

static void set(uint16_t port, unsigned reg, unsigned value)
{
    outb(port, (uint8_t)reg);
    outb(port + 1, (uint8_t)value);
}

static unsigned get(uint16_t port, unsigned reg)
{
    outb(port, (uint8_t)reg);
    return inb(port + 1);
}

static void protection(void)
{
    set(CRTC, 0x11, 0);
    set(CRTC, 0, 0x5f);
    set(CRTC, 7, 0x1f);
    set(CRTC, 0x11, PROTECT | 0x0e);
    set(CRTC, 0, 0x11);
    check_eq(get(CRTC, 0), 0x5f);
    set(CRTC, 7, 0);                       /* but for the line compare's bit */
    check_eq(get(CRTC, 7), 0x1f & ~0x10);
    set(CRTC, 0xe, 0x12);                  /* the cursor is not protected */
    set(CRTC, 0xf, 0x34);
    check_eq(get(CRTC, 0xe) << 8 | get(CRTC, 0xf), 0x1234);
    set(CRTC, 0x11, 0);
    set(CRTC, 0, 0x22);
    check_eq(get(CRTC, 0), 0x22);
}

static void attributes(void)
{
    inb(STATUS);                           /* next is an index */
    for (unsigned i = 0; i < 16; i++) {
        outb(ATTRIBUTE, (uint8_t)i);
        outb(ATTRIBUTE, (uint8_t)(0x30 | i));
    }
    for (unsigned i = 0; i < 16; i++) {
        inb(STATUS);
        outb(ATTRIBUTE, (uint8_t)i);
        check_eq(inb(ATTRIBUTE_IN), 0x30 | i);
    }
    inb(STATUS);
    outb(ATTRIBUTE, 0x20);                 /* the screen is on */
    check_eq(inb(ATTRIBUTE), 0x20);
}

static void colours(void)
{
    outb(DAC_WRITE, 10);
    for (unsigned i = 0; i < 6; i++)
        outb(DAC_DATA, (uint8_t)(0xc0 | (i * 11)));       /* two colours of 6 bits */
    check_eq(inb(DAC_WRITE), 12);
    outb(DAC_READ, 10);
    check_eq(inb(DAC_READ) & 3, 3);        /* it is being read */
    for (unsigned i = 0; i < 6; i++)
        check_eq(inb(DAC_DATA), i * 11);
    outb(DAC_WRITE, 11);
    check_eq(inb(DAC_READ) & 3, 0);
    outb(DAC_DATA, 1);
    outb(DAC_DATA, 2);                     /* not a colour yet */
    outb(DAC_READ, 11);
    check_eq(inb(DAC_DATA), 33);
    outb(PEL_MASK, 0x0f);
    check_eq(inb(PEL_MASK), 0x0f);
    outb(PEL_MASK, 0xff);
}

/* 720 by 400 at 70 Hz, as text has it. */
static void beam(void)
{
    static const uint8_t crtc[] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c,
                                    0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };
    uint64_t start;
    unsigned retraces = 0, lines = 0, last = 0;

    set(SEQUENCER, 1, 0);
    set(CRTC, 0x11, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(crtc); i++)
        set(CRTC, i, crtc[i]);
    while (!(inb(STATUS) & RETRACE))
        apic_sleep(10000);
    while (inb(STATUS) & RETRACE)
        apic_sleep(10000);
    start = clock_ns();
    for (unsigned turns = 0; retraces < 4; turns++) {
        unsigned now = inb(STATUS) & RETRACE;

        require(turns < 10000);
        retraces += now && !last;
        last = now;
        apic_sleep(10000);
    }
    uint64_t frames = clock_ns() - start;

    check(frames > 54000000 && frames < 59000000);        /* four of 14.3 ms */
    while (inb(STATUS) & RETRACE)
        apic_sleep(10000);
    apic_sleep(2000000);
    start = clock_ns();
    for (last = inb(STATUS) & NOT_SHOWN; lines < 10;) {
        unsigned now = inb(STATUS) & NOT_SHOWN;

        lines += now && !last;
        last = now;
    }
    uint64_t took = clock_ns() - start;

    check(took > 9 * 31000 && took < 11 * 32500);         /* 31.8 us a line */
}

void test_main(void)
{
    outb(MISC_OUT, COLOR | RAM | CLOCK_28);
    check_eq(inb(MISC_IN), COLOR | RAM | CLOCK_28);
    check_eq(inb(MONO_CRTC + 1), 0xff);    /* where it is not now */
    set(SEQUENCER, 2, 0xff);
    check_eq(get(SEQUENCER, 2), 0x0f);
    set(SEQUENCER, 4, 0xff);
    check_eq(get(SEQUENCER, 4), 0x0e);
    protection();
    attributes();
    colours();
    beam();
    outb(MISC_OUT, RAM | CLOCK_28);
    check_eq(get(MONO_CRTC, 0xe), 0);
    set(MONO_CRTC, 0xe, 0x55);
    check_eq(get(MONO_CRTC, 0xe), 0x55);
    check_eq(inb(CRTC + 1), 0xff);
}
