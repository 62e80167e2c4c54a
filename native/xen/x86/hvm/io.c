/* io.c - where an access to a port or to device memory goes: to a controller in C, to a block of data on its way through a
 * port, or to Python's devices.
 *
 * What Python answers goes through the queue of ../../io.c.
 */
#include "hvm.h"
#include "../../io.h"
#include "../../p2m.h"

struct video { struct hv *hv; uint64_t first; };
enum { RFLAGS_IOPL_SHIFT = 12, TSS_IOMAP_BASE = 0x66, TSS32_MIN = 0x67 };

/* ---- who may use a port ---- */

/* A byte of the TSS, with ring 0's rights. */
static bool tss_byte(struct hv *hv, struct vcpu *v, const struct x86_segment_state *tr, uint32_t offset, uint8_t *out)
{
    uint64_t gpa;
    if (offset > tr->limit || !hvm_linear_to_physical(hv, v, tr->base + offset, ACCESS_READ, true, &gpa))
        return false;
    const uint8_t *byte = hv_ram(hv, hv_domain(hv, v), gpa, false);
    *out = byte ? *byte : 0xff;
    return true;
}

/* SDM volume 1, 18.5: ring and IOPL, else the bit map behind the TSS, which in virtual-8086 mode decides alone. */
static bool port_allowed(struct hv *hv, struct vcpu *v, struct cpu *cpu, uint32_t port, uint32_t size)
{
    uint64_t flags = cpu_rflags(cpu);
    struct x86_segment_state tr;
    uint8_t low, high;
    if (!(cpu_cr(cpu, 0) & CR0_PE))
        return true;
    if (!(flags & RFLAGS_VM) && hvm_cpl(cpu) <= (flags >> RFLAGS_IOPL_SHIFT & 3))
        return true;
    cpu_get_segment(cpu, SEG_TR, &tr);
    bool is32 = tr.attributes >> 11 & 1;
    if (!is32 || tr.limit < TSS32_MIN || !tss_byte(hv, v, &tr, TSS_IOMAP_BASE, &low) ||
        !tss_byte(hv, v, &tr, TSS_IOMAP_BASE + 1, &high))
        return false;
    uint32_t at = (low | (uint32_t)high << 8) + port / 8;
    if (!tss_byte(hv, v, &tr, at, &low) || !tss_byte(hv, v, &tr, at + 1, &high))
        return false;
    return !((low | (uint32_t)high << 8) >> port % 8 & ((1u << size) - 1));
}

/* ---- blocks of data on their way through a port ---- */

/* The last word is the device's: it has something to do then. */
static bool data_port(struct hvm_domain *h, struct io_access *a)
{
    for (int i = 0; i < HVM_DATA_PORTS; i++) {
        struct hvm_data_port *p = &h->data_port[i];
        if (p->length == 0 || p->port != a->address || (bool)p->writing != a->write || p->at + a->size >= p->length)
            continue;
        if (a->write)
            memcpy(p->data + p->at, &a->value, a->size);
        else
            memcpy(&a->value, p->data + p->at, a->size);
        p->at += a->size;
        return true;
    }
    return false;
}

/* ---- Python's devices ---- */

/* What Python's device has said of the port that was read last, which holds until it is asked anything else. A guest that waits
 * for a port to change thus leaves once for each change. */
static bool held(struct hv *hv, const struct hvm_domain *h, struct io_access *a)
{
    const struct hvm_held *held = &h->held;
    if (!a->port || a->write || a->address != held->port || a->size != held->size || hv_now(hv) >= held->until_ns)
        return false;
    a->value = held->value;
    return true;
}

static enum io_answer to_python(struct hv *hv, struct vcpu *v, struct io_access *a)
{
    struct hvm_domain *h = hvm_of(hv, hv_domain(hv, v));
    struct io_queue *q = io_begin(hv, v);
    if (io_replay(q, a))
        return IO_DONE;
    if (held(hv, h, a)) {
        io_note(q, a->value);
        return IO_DONE;
    }
    h->held.until_ns = 0;
    return io_leave(hv, v, a);
}

/* ---- controllers in C ---- */

/* Registers of 32 bits at multiples of 16; other widths read parts of them, and their writes are ignored. */
static bool lapic(struct hv *hv, struct vcpu *v, struct io_access *a)
{
    uint32_t offset = (uint32_t)a->address & 0xfff;
    if (!lapic_present(&hvm_vcpu_of(hv, v)->lapic))
        return false;
    if (!a->write)
        a->value = (uint64_t)lapic_read(hv, v, offset) >> 8 * (offset & 3);
    else if (a->size == 4 && (offset & 0xf) == 0)
        lapic_write(hv, v, offset, (uint32_t)a->value);
    return true;
}

static bool ioapic(struct hv *hv, struct domain *d, struct io_access *a)
{
    if (!hvm_of(hv, d)->has_ioapic)
        return false;
    uint32_t offset = (uint32_t)a->address & 0xff;
    if (!a->write)
        a->value = (uint64_t)ioapic_read(&hvm_of(hv, d)->ioapic, offset & ~3u) >> 8 * (offset & 3);
    else if ((offset & 0xf) == 0)
        ioapic_write(hv, d, offset, (uint32_t)a->value);
    return true;
}

/* ---- the VGA's window and status, which programs look at all the time ---- */

static void touch(void *ctx, uint64_t page)
{
    struct video *video = ctx;
    machine_write_begin(video->hv->m, video->first + page);
}

static bool in_window(const struct io_access *a)
{
    return !a->port && a->address >= VGA_WINDOW_BASE && a->address < VGA_WINDOW_BASE + VGA_WINDOW_BYTES;
}

static bool vga(struct hv *hv, struct hvm_domain *h, struct io_access *a)
{
    enum { STATUS_MONO = 0x3ba, STATUS_COLOR = 0x3da };
    if (h->video_frames == 0)
        return false;
    if (a->port) {
        if (a->address != (h->vga.mono ? STATUS_MONO : STATUS_COLOR) || a->write || a->size != 1 || !h->vga.enabled)
            return false;
        a->value = vga_status(&h->vga, hv_now(hv));
        return true;
    }
    struct video video = {hv, h->video_frame};
    const struct vga_memory memory = {machine_frame(hv->m, h->video_frame), h->video_frames << ENGINE_PAGE_SHIFT, touch, &video};
    uint64_t offset = a->address - VGA_WINDOW_BASE;
    if (a->write)
        vga_write(&h->vga, &memory, offset, a->size, a->value);
    else
        a->value = vga_read(&h->vga, &memory, offset, a->size);
    return true;
}

/* What answers here may change which interrupt comes next, or when a timer fires: nothing may follow it in its block. */
static bool is_controller(const struct io_access *a)
{
    uint64_t page = a->address >> ENGINE_PAGE_SHIFT;
    if (a->port)
        return (a->address & ~UINT64_C(0x81)) == 0x20 || (a->address & ~UINT64_C(1)) == 0x4d0;
    return page == LAPIC_BASE >> ENGINE_PAGE_SHIFT || page == IOAPIC_BASE >> ENGINE_PAGE_SHIFT;
}

static bool controller(struct hv *hv, struct vcpu *v, struct io_access *a)
{
    if (a->port)
        return pic_access(hvm_of(hv, hv_domain(hv, v)), a);
    if (a->address >> ENGINE_PAGE_SHIFT == LAPIC_BASE >> ENGINE_PAGE_SHIFT)
        return lapic(hv, v, a);
    return ioapic(hv, hv_domain(hv, v), a);
}

enum io_answer hvm_io(void *ctx, struct cpu *cpu, struct io_access *a)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    struct domain *d = hv_domain(hv, v);
    if (a->port && !port_allowed(hv, v, cpu, (uint32_t)a->address, a->size))
        return IO_FAULT;
    /* Time has passed since an answer was given: the device may have the next block ready. */
    if (a->port && !io_answered_before(hv, v) && data_port(hvm_of(hv, d), a)) {
        if (!a->write)
            io_note(io_begin(hv, v), a->value);
        return IO_DONE;
    }
    if ((a->port || in_window(a)) && vga(hv, hvm_of(hv, d), a))
        return IO_DONE;
    if (is_controller(a)) {
        if (!a->alone) {
            return io_alone(hv, v);
        }
        hvm_callback_follows(hv, d);
        if (controller(hv, v, a)) {
            hvm_changed(hv, v);
            return IO_DONE;
        }
    }
    if (!a->port && a->write && p2m_get(hv, &hvm_of(hv, d)->p2m, a->address >> ENGINE_PAGE_SHIFT) & P2M_RAM)
        return IO_DONE;           /* read-only memory */
    hv_trace_io(hv, v, (uint32_t)a->address, a->size, a->value, a->write);
    return to_python(hv, v, a);
}
