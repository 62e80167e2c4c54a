/* @title  VGA: how a byte reaches four planes
 * @fact   write modes 0 to 3 with set/reset, rotation, functions, bit mask and latches; the map mask; read modes 0 and 1;
 *         chained planes, and pairs of them as text has them
 * @source IBM PS/2 Hardware Interface Technical Reference, Video Subsystem: Graphics controller registers 0 to 8, Sequencer
 *         registers 2 and 4
 * @env    hvm64 hvm32
 */
#include <guest.h>
#include <pc.h>

enum { SEQUENCER = 0x3c4, GRAPHICS = 0x3ce, MISC_OUT = 0x3c2, MAP_MASK = 2, MEMORY_MODE = 4 };
enum { SET_RESET = 0, ENABLE_SET_RESET, COMPARE, ROTATE, READ_MAP, MODE, MISC, DONT_CARE, BIT_MASK };
enum { AND = 1 << 3, OR = 2 << 3, XOR = 3 << 3, READ_COMPARE = 8, PLANAR = 6, CHAIN_4 = 0xe, ODD_EVEN = 2 };
static volatile uint8_t *const window = (volatile uint8_t *)VGA_WINDOW;

static void sequencer(unsigned reg, unsigned value) { outw(SEQUENCER, (uint16_t)(value << 8 | reg)); }
static void graphics(unsigned reg, unsigned value) { outw(GRAPHICS, (uint16_t)(value << 8 | reg)); }

static void plain(void)
{
    sequencer(MAP_MASK, 0xf);
    sequencer(MEMORY_MODE, PLANAR);
    for (unsigned reg = SET_RESET; reg <= READ_MAP; reg++)
        graphics(reg, 0);
    graphics(MODE, 0);
    graphics(MISC, 5);                     /* graphics, 64 KiB at 0xa0000 */
    graphics(DONT_CARE, 0xf);
    graphics(BIT_MASK, 0xff);
}

/* The four planes at an offset: plane 0 in the lowest byte. */
static uint32_t planes(unsigned at)
{
    uint32_t all = 0;

    for (unsigned plane = 0; plane < 4; plane++) {
        graphics(READ_MAP, plane);
        all |= (uint32_t)window[at] << 8 * plane;
    }
    return all;
}

static void put(unsigned at, uint32_t all)
{
    for (unsigned plane = 0; plane < 4; plane++) {
        sequencer(MAP_MASK, 1u << plane);
        window[at] = (uint8_t)(all >> 8 * plane);
    }
    sequencer(MAP_MASK, 0xf);
}

static void load(unsigned at) { (void)window[at]; }

static void mode_0(void)
{
    plain();
    put(0, 0x44332211);
    check_eq(planes(0), 0x44332211);
    sequencer(MAP_MASK, 0x5);
    window[0] = 0xee;
    check_eq(planes(0), 0x44ee22ee);
    sequencer(MAP_MASK, 0xf);
    graphics(ROTATE, 3);
    window[1] = 0x81;                      /* to the right */
    check_eq(planes(1), 0x30303030);
    graphics(ROTATE, 0);

    graphics(SET_RESET, 0xa);
    graphics(ENABLE_SET_RESET, 0x3);       /* plane 1 all ones, plane 0 all zeros, the others as written */
    window[2] = 0x5c;
    check_eq(planes(2), 0x5c5cff00);
    graphics(ENABLE_SET_RESET, 0);

    put(3, 0xf0cc3355);
    load(3);
    graphics(BIT_MASK, 0x0f);
    window[4] = 0xaa;                      /* the upper half comes from the latches */
    check_eq(planes(4), 0xfaca3a5a);
    graphics(BIT_MASK, 0xff);
    load(3);
    graphics(ROTATE, AND);
    window[5] = 0x3c;
    check_eq(planes(5), 0x300c3014);
    load(3);
    graphics(ROTATE, OR);
    window[5] = 0x3c;
    check_eq(planes(5), 0xfcfc3f7d);
    load(3);
    graphics(ROTATE, XOR);
    window[5] = 0x3c;
    check_eq(planes(5), 0xccf00f69);
}

static void other_modes(void)
{
    plain();
    put(8, 0x01020408);
    graphics(MODE, 1);                     /* latches as they are */
    load(8);
    window[9] = 0xff;
    graphics(MODE, 0);
    check_eq(planes(9), 0x01020408);

    put(10, 0xffff0000);
    load(10);
    graphics(MODE, 2);                     /* bits 3:0 are the planes' */
    graphics(BIT_MASK, 0xf0);
    window[11] = 0x06;
    check_eq(planes(11), 0x0ffff000);
    graphics(BIT_MASK, 0xff);

    graphics(MODE, 3);                     /* the rotated byte is another mask, set/reset the colour */
    graphics(SET_RESET, 0x9);
    graphics(ROTATE, 4);
    graphics(BIT_MASK, 0x3f);
    put(12, 0);
    plain();
    put(12, 0x11223344);
    load(12);
    graphics(MODE, 3);
    graphics(SET_RESET, 0x9);
    graphics(ROTATE, 4);
    graphics(BIT_MASK, 0x3f);
    window[13] = 0xf1;                     /* rotated 0x1f */
    check_eq(planes(13), 0x1f20205f);
}

static void reading(void)
{
    plain();
    put(20, 0xf0cc3355);
    graphics(MODE, READ_COMPARE);
    graphics(COMPARE, 0x5);                /* planes 0 and 2 ones, 1 and 3 zeros */
    check_eq(window[20], (uint8_t)(0x55 & ~0x33 & 0xcc & ~0xf0));
    graphics(DONT_CARE, 0x1);
    check_eq(window[20], 0x55);
    graphics(DONT_CARE, 0);
    check_eq(window[20], 0xff);
}

static void chains(void)
{
    plain();
    sequencer(MEMORY_MODE, CHAIN_4);
    for (unsigned i = 0; i < 8; i++)
        window[0x100 + i] = (uint8_t)(0x60 + i);
    check_eq(*(volatile uint32_t *)(window + 0x100), 0x63626160);
    sequencer(MAP_MASK, 0xd);              /* byte 1 is plane 1 */
    window[0x101] = 0x99;
    check_eq(window[0x101], 0x61);
    sequencer(MAP_MASK, 0);
    *(volatile uint32_t *)(window + 0x100) = 0;
    check_eq(*(volatile uint32_t *)(window + 0x100), 0x63626160);

    /* Text: even addresses are characters in plane 0, odd ones attributes in plane 1, at 0xb8000. */
    plain();
    sequencer(MEMORY_MODE, ODD_EVEN);
    sequencer(MAP_MASK, 3);
    graphics(MODE, 0x10);
    graphics(MISC, 0xe);
    *(volatile uint16_t *)(window + 0x18000 + 0x200) = 0x0741;
    check_eq(*(volatile uint16_t *)(window + 0x18000 + 0x200), 0x0741);
    sequencer(MAP_MASK, 1);                /* of the characters only */
    *(volatile uint16_t *)(window + 0x18000 + 0x200) = 0x1f42;
    check_eq(*(volatile uint16_t *)(window + 0x18000 + 0x200), 0x0742);
    check_eq(window[0x200], 0xff);         /* nothing answers at 0xa0000 now */
}

void test_main(void)
{
    outb(MISC_OUT, 0x63);
    mode_0();
    other_modes();
    reading();
    chains();
}
