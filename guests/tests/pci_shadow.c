/* @title  i440FX: what lies below 1 MiB
 * @fact   PAM registers say, for each 16 KiB from 0xc0000 and for the 64 KiB of the BIOS, whether reads see RAM and whether
 *         writes reach it
 * @source Intel 440FX PCIset (82441FX) data sheet, 3.2.18 (PAM[6:0])
 * @env    hvm64
 */
#include <guest.h>
#include <pc.h>

enum { PAM0 = 0x59, RANGES = 13, NEITHER = 0, READ = 1, WRITE = 2 };

static unsigned long first(unsigned range) { return range ? 0xc0000 + 0x4000 * (range - 1UL) : 0xf0000; }

static void set(unsigned range, unsigned bits)
{
    unsigned at = range ? PAM0 + 1 + (range - 1) / 2 : PAM0, shift = range && (range - 1) % 2 == 0 ? 0 : 4;
    uint32_t word = pci_read(0, at);

    shift += 8 * (at & 3);
    pci_write(0, at, (word & ~(3u << shift)) | bits << shift);
    check_eq(pci_read(0, at) >> shift & 3, bits);
}

void test_main(void)
{
    for (unsigned i = 0; i < RANGES; i++) {
        volatile uint32_t *word = (volatile uint32_t *)(first(i) + 0x20 + 4 * i);
        uint32_t rom = *word;

        *word = 0x1111;
        check_eq(*word, rom);
        set(i, READ | WRITE);
        *word = 0xa0000000 + i;
        check_eq(*word, 0xa0000000 + i);
        set(i, READ);
        *word = 0x2222;
        check_eq(*word, 0xa0000000 + i);
        set(i, NEITHER);
        *word = 0x3333;
        check_eq(*word, rom);
    }
    /* Each has RAM of its own; it stays, whoever sees it. */
    for (unsigned i = 0; i < RANGES; i++) {
        set(i, READ | WRITE);
        check_eq(*(volatile uint32_t *)(first(i) + 0x20 + 4 * i), 0xa0000000 + i);
    }
}
