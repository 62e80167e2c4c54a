/* vga.c - the VGA's window on video memory, as the sequencer and the graphics controller make it.
 *
 * A byte access goes in two steps: which offset of which planes it means (place()), and what the graphics controller makes
 * of a byte for four planes (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem; the packing of planes
 * into bytes is QEMU's and Bochs', whose frame buffer guests know). All four planes go through as one word of 32 bits.
 */
#include "vga.h"
#include <stddef.h>
#include <string.h>

enum { PAGE_SHIFT = 12 };
enum { SR4_SEQUENTIAL = 4, SR4_CHAIN4 = 8 };             /* SEQUENTIAL: not odd/even */
enum { GR5_READ_COMPARE = 8, GR5_ODD_EVEN = 0x10 };
enum { STATUS_HIDDEN = 1, STATUS_RETRACE = 8 };
enum { ALL_PLANES = 15 };

/* Where the window is in the 128 KiB, by bits 3..2 of the miscellaneous register. */
static const struct { uint32_t start, end; } MAPS[4] = {
    {0, 0x20000}, {0, 0x10000}, {0x10000, 0x18000}, {0x18000, 0x20000},
};
enum { MAP_64K = 1 };

/* 0x000000ff for plane 0 and so on, of every plane that has its bit set. */
static uint32_t planes(unsigned bits)
{
    return (bits & 1) * 0xffu | (bits >> 1 & 1) * 0xff00u | (bits >> 2 & 1) * 0xff0000u | (bits >> 3 & 1) * 0xff000000u;
}

static uint32_t four(uint8_t byte) { return byte * 0x01010101u; }

static uint32_t load(const struct vga_memory *m, uint64_t at)
{
    const uint8_t *p = m->bytes + at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- where ---- */

/* An address of the window as one behind its beginning, bank included. False: nobody answers. */
static bool inside(const struct vga_window *w, uint64_t offset, uint64_t *address)
{
    unsigned map = w->vbe ? MAP_64K : w->graphics[VGA_GR_MISC] >> 2 & 3;
    if (!w->enabled || offset < MAPS[map].start || offset >= MAPS[map].end)
        return false;
    *address = offset - MAPS[map].start + (map == MAP_64K ? w->bank : 0);
    return true;
}

struct place {
    uint64_t at;                  /* byte of plane 0 */
    unsigned planes;              /* that a write may reach */
    unsigned plane;               /* that a read returns */
};

static bool place(const struct vga_window *w, const struct vga_memory *m, uint64_t offset, bool write, struct place *p)
{
    uint64_t address;
    if (!inside(w, offset, &address))
        return false;
    unsigned low = (unsigned)address;
    unsigned mode = w->sequencer[VGA_SR_MEMORY_MODE];
    p->planes = w->sequencer[VGA_SR_MAP_MASK] & ALL_PLANES;
    p->plane = w->graphics[VGA_GR_READ_MAP] & 3;
    if (mode & SR4_CHAIN4) {
        p->at = address & ~UINT64_C(3);
        p->plane = low & 3;
        p->planes &= 1u << p->plane;
    } else if (write ? !(mode & SR4_SEQUENTIAL) : w->graphics[VGA_GR_MODE] & GR5_ODD_EVEN) {
        p->at = address >> 1 << 2;
        p->plane = (p->plane & 2) | (low & 1);
        p->planes &= low & 1 ? 0xa : 0x5;
    } else {
        p->at = address << 2;
    }
    return m->size >= 4 && p->at <= m->size - 4;
}

/* ---- what ---- */

static uint8_t read_byte(struct vga_window *w, const struct vga_memory *m, uint64_t offset)
{
    struct place p;
    if (!place(w, m, offset, false, &p))
        return 0xff;
    w->latch = load(m, p.at);
    if (!(w->graphics[VGA_GR_MODE] & GR5_READ_COMPARE))
        return (uint8_t)(w->latch >> 8 * p.plane);
    uint32_t differs = (w->latch ^ planes(w->graphics[VGA_GR_COLOR_COMPARE])) & planes(w->graphics[VGA_GR_DONT_CARE]);
    differs |= differs >> 16;
    return (uint8_t)~(differs | differs >> 8);
}

static uint32_t combine(const struct vga_window *w, uint32_t data)
{
    switch (w->graphics[VGA_GR_ROTATE] >> 3 & 3) {
    case 1: return data & w->latch;
    case 2: return data | w->latch;
    case 3: return data ^ w->latch;
    default: return data;
    }
}

/* What the graphics controller makes of a byte: write modes 0 to 3. */
static uint32_t processed(const struct vga_window *w, uint8_t byte)
{
    unsigned turn = w->graphics[VGA_GR_ROTATE] & 7;
    uint8_t turned = (uint8_t)(byte >> turn | byte << (8 - turn));
    uint8_t mask = w->graphics[VGA_GR_BIT_MASK];
    uint32_t data, set = planes(w->graphics[VGA_GR_SET_RESET]), enabled = planes(w->graphics[VGA_GR_ENABLE_SET_RESET]);
    switch (w->graphics[VGA_GR_MODE] & 3) {
    case 0:
        data = (four(turned) & ~enabled) | (set & enabled);
        break;
    case 1:
        return w->latch;
    case 2:
        data = planes(byte);
        break;
    default:
        data = set;
        mask &= turned;
        break;
    }
    return (combine(w, data) & four(mask)) | (w->latch & ~four(mask));
}

static void write_byte(struct vga_window *w, const struct vga_memory *m, uint64_t offset, uint8_t byte)
{
    struct place p;
    if (!place(w, m, offset, true, &p) || p.planes == 0)
        return;
    uint32_t reach = planes(p.planes), value = (load(m, p.at) & ~reach) | (processed(w, byte) & reach);
    uint8_t *out = m->bytes + p.at;
    m->touch(m->ctx, p.at >> PAGE_SHIFT);                /* four bytes at a multiple of four: in one page */
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

/* ---- the linear window ---- */

/* Bytes of video memory that an access means as they are; NULL: it is another kind of access, or not all inside. */
static uint8_t *linear(const struct vga_window *w, const struct vga_memory *m, uint64_t offset, uint32_t size)
{
    uint64_t address, end;
    if (w->vbe != VGA_VBE_LINEAR || !inside(w, offset, &address) || !inside(w, offset + size - 1, &end))
        return NULL;
    return end < m->size ? m->bytes + address : NULL;
}

/* One byte where linear() has said no: at an end of the window or of video memory. */
static bool beside(const struct vga_window *w) { return w->vbe == VGA_VBE_LINEAR; }

uint64_t vga_read(struct vga_window *w, const struct vga_memory *m, uint64_t offset, uint32_t size)
{
    uint64_t value = 0;
    const uint8_t *bytes;
    if (size == 0 || size > 8)
        return UINT64_MAX;
    if ((bytes = linear(w, m, offset, size)) != NULL) {
        memcpy(&value, bytes, size);
        return value;
    }
    for (uint32_t i = 0; i < size; i++) {
        uint64_t byte = 0xff;
        if (!beside(w))
            byte = read_byte(w, m, offset + i);
        else if ((bytes = linear(w, m, offset + i, 1)) != NULL)
            byte = *bytes;
        value |= byte << 8 * i;
    }
    return value;
}

void vga_write(struct vga_window *w, const struct vga_memory *m, uint64_t offset, uint32_t size, uint64_t value)
{
    if (size == 0 || size > 8)
        return;
    uint8_t *bytes = linear(w, m, offset, size);
    if (bytes != NULL) {
        uint64_t first = (uint64_t)(bytes - m->bytes) >> PAGE_SHIFT, last = (uint64_t)(bytes - m->bytes + size - 1) >> PAGE_SHIFT;
        m->touch(m->ctx, first);
        if (last != first)
            m->touch(m->ctx, last);
        memcpy(bytes, &value, size);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        if (!beside(w))
            write_byte(w, m, offset + i, byte);
        else if (size > 1)
            vga_write(w, m, offset + i, 1, byte);
    }
}

/* ---- the beam ---- */

uint8_t vga_status(struct vga_window *w, uint64_t now_ns)
{
    w->attribute_data = 0;
    uint64_t frame = (uint64_t)w->line_ns * w->lines;
    if (frame == 0)
        return 0;
    uint64_t in_frame = now_ns % frame, line = in_frame / w->line_ns, in_line = in_frame % w->line_ns;
    bool hidden = line >= w->shown_lines || in_line >= w->shown_ns;
    bool retrace = line >= w->retrace_start && line - w->retrace_start < w->retrace_lines;
    return (uint8_t)((hidden ? STATUS_HIDDEN : 0) | (retrace ? STATUS_RETRACE : 0));
}
