/* @title  VGA: Bochs VBE modes and the linear frame buffer
 * @fact   a mode is set by size and depth, what does not fit is made to fit; its pixels lie in BAR 0 and, by banks, at
 *         0xa0000; setting it clears the screen unless told not to; limits and the size of memory can be asked for
 * @source Bochs, vbe_display_api.txt (DISPI registers); QEMU, docs/specs/standard-vga.rst (BARs 0 and 2)
 * @env    hvm64
 */
#include <guest.h>
#include <pc.h>

enum { INDEX = VBE, DATA = VBE + 2, FRAMES = 0xe0000000, REGISTERS = 0xfebf0000, DISPI = 0x500, BANK_BYTES = 0x10000 };
enum { ID, WIDTH, HEIGHT, DEPTH, ENABLE, BANK, VIRTUAL_WIDTH, VIRTUAL_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K };
enum { ON = 1, CAPS = 2, LINEAR = 0x40, NO_CLEAR = 0x80, MEMORY = 16 << 20 };

static unsigned get(unsigned reg) { outw(INDEX, (uint16_t)reg); return inw(DATA); }
static void set(unsigned reg, unsigned value) { outw(INDEX, (uint16_t)reg); outw(DATA, (uint16_t)value); }

static void mode(unsigned width, unsigned height, unsigned depth, unsigned flags)
{
    set(ENABLE, 0);
    set(WIDTH, width);
    set(HEIGHT, height);
    set(DEPTH, depth);
    set(ENABLE, ON | flags);
}

static volatile uint32_t *pixel(unsigned x, unsigned y, unsigned row) { return (volatile uint32_t *)(FRAMES + y * row + 4UL * x); }

void test_main(void)
{
    unsigned vga = pci_find(0x11111234);
    volatile uint8_t *bank = (volatile uint8_t *)VGA_WINDOW;

    require(vga != PCI_NONE);
    pci_write(vga, 0x10, FRAMES);
    pci_write(vga, 0x18, REGISTERS);
    pci_write(vga, 4, 3);
    check(get(ID) >= 0xb0c0 && get(ID) <= 0xb0c5);
    set(ID, 0xb0c2);
    check_eq(get(ID), 0xb0c2);
    set(ID, 0x1234);
    check_eq(get(ID), 0xb0c2);
    check_eq(get(MEMORY_64K), MEMORY / BANK_BYTES);
    set(ENABLE, CAPS);
    check(get(WIDTH) >= 1600 && get(HEIGHT) >= 1200);
    check_eq(get(DEPTH), 32);

    mode(640, 480, 32, LINEAR);
    check_eq(get(ENABLE) & ON, ON);
    check_eq(get(VIRTUAL_WIDTH), 640);
    check_eq(get(VIRTUAL_HEIGHT), MEMORY / (640 * 4));
    *pixel(639, 479, 640 * 4) = 0xabcdef;
    *pixel(7, 3, 640 * 4) = 0x123456;
    check_eq(*pixel(639, 479, 640 * 4), 0xabcdef);

    /* The window shows a bank of 64 KiB. */
    unsigned offset = 479 * 640 * 4 + 639 * 4;

    set(BANK, offset / BANK_BYTES);
    check_eq(get(BANK), offset / BANK_BYTES);
    check_eq(*(volatile uint32_t *)(bank + offset % BANK_BYTES), 0xabcdef);
    bank[offset % BANK_BYTES] = 0x11;
    check_eq(*pixel(639, 479, 640 * 4), 0xabcd11);
    set(BANK, 0);
    check_eq(*(volatile uint32_t *)(bank + 3 * 640 * 4 + 7 * 4), 0x123456);

    mode(640, 480, 32, LINEAR | NO_CLEAR);
    check_eq(*pixel(7, 3, 640 * 4), 0x123456);
    mode(640, 480, 32, LINEAR);
    check_eq(*pixel(7, 3, 640 * 4), 0);
    check_eq(*pixel(639, 479, 640 * 4), 0);

    /* A wider virtual screen, and a place in it. */
    set(VIRTUAL_WIDTH, 1024);
    check_eq(get(VIRTUAL_WIDTH), 1024);
    check_eq(get(VIRTUAL_HEIGHT), MEMORY / (1024 * 4));
    set(X_OFFSET, 100);
    set(Y_OFFSET, 200);
    check_eq(get(X_OFFSET), 100);
    check_eq(get(Y_OFFSET), 200);
    mode(1280, 1024, 16, LINEAR);
    check_eq(get(X_OFFSET), 0);
    check_eq(get(VIRTUAL_WIDTH), 1280);
    check_eq(get(VIRTUAL_HEIGHT), MEMORY / (1280 * 2));

    /* The same registers in memory. */
    volatile uint16_t *mapped = (volatile uint16_t *)(REGISTERS + DISPI);

    check_eq(mapped[WIDTH], 1280);
    mapped[ENABLE] = 0;
    check_eq(get(ENABLE), 0);
    check_eq(*(volatile uint32_t *)(FRAMES + MEMORY - 4UL), 0);
    check_eq(*(volatile uint32_t *)(FRAMES + (unsigned long)MEMORY), 0xffffffff);
}
