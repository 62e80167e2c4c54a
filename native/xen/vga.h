/* vga.h - what a guest meets at 0xa0000 to 0xbffff, and at input status register 1 (also preprocessed into cffi).
 *
 * The registers are the Python device's (hv/devices/vga.py): it puts those that decide what an access means into the
 * window, where C finds them. Video memory is four planes, byte by byte: plane p of offset n is byte 4n + p, which is also
 * what the linear frame buffer shows of it.
 */
#ifndef XENLAB_VGA_H
#define XENLAB_VGA_H
#ifndef XENLAB_CFFI
#include <stdbool.h>
#include <stdint.h>
#endif

enum { VGA_WINDOW_BASE = 0xa0000, VGA_WINDOW_BYTES = 0x20000 };
/* Indices in `sequencer` and `graphics`. */
enum { VGA_SR_MAP_MASK = 2, VGA_SR_MEMORY_MODE = 4 };
enum {
    VGA_GR_SET_RESET = 0, VGA_GR_ENABLE_SET_RESET, VGA_GR_COLOR_COMPARE, VGA_GR_ROTATE, VGA_GR_READ_MAP, VGA_GR_MODE,
    VGA_GR_MISC, VGA_GR_DONT_CARE, VGA_GR_BIT_MASK
};
/* LINEAR: a VBE mode with 8 bits per pixel or more, where the window shows video memory as it is. PLANAR: one with 4. */
enum { VGA_VBE_OFF = 0, VGA_VBE_PLANAR, VGA_VBE_LINEAR };

/* Plain data, for the arena. */
struct vga_window {
    uint32_t bank;                /* VBE: bytes (PLANAR: offsets) in front of what the window at 0xa0000 shows */
    uint32_t line_ns, lines;      /* of the picture's frames: time of a scan line, and how many, hidden ones too ... */
    uint32_t shown_ns, shown_lines;              /* ... how much of them shows ... */
    uint32_t retrace_start, retrace_lines;       /* ... and where the beam goes back */
    uint8_t enabled;              /* somebody answers at all */
    uint8_t vbe;                  /* VGA_VBE_* */
    uint8_t sequencer[5];
    uint8_t graphics[9];
    /* What accesses change. */
    uint8_t attribute_data;       /* port 0x3c0 takes data, not an index */
    uint8_t mono;                 /* input status register 1 is at port 0x3ba, not 0x3da */
    uint8_t pad[2];
    uint32_t latch;               /* a byte of each plane, plane 0 lowest */
};

/* Video memory, a whole number of pages; `touch` is called before a page is written, with its number in it. */
struct vga_memory {
    uint8_t *bytes;
    uint64_t size;
    void (*touch)(void *ctx, uint64_t page);
    void *ctx;
};

/* An access of 1 to 8 bytes at `offset` from VGA_WINDOW_BASE, as that many accesses of a byte, lowest first. What nobody
 * answers reads as ones and takes nothing. */
uint64_t vga_read(struct vga_window *w, const struct vga_memory *m, uint64_t offset, uint32_t size);
void vga_write(struct vga_window *w, const struct vga_memory *m, uint64_t offset, uint32_t size, uint64_t value);
/* Input status register 1 at a system time. Reading it sets the attribute controller's port to take an index. */
uint8_t vga_status(struct vga_window *w, uint64_t now_ns);

#endif
