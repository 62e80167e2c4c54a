/* validate.c - is the arena what this hypervisor could have made? Asked of state that was restored from a file.
 *
 * The rest of native/xen believes the arena: nobody but us writes to it. A file may have been written by anybody, so before
 * anything else looks, every field that is used as an index, a count, an offset or an address is checked here, root first,
 * each step relying on those before it. Guest memory needs no such check, as it is never believed, but for what page types
 * promise of its contents: hv_audit() recomputes that from the tables, and descriptors are checked here.
 *
 * Not checked: what only its own guest can notice (pending bits, timers and which of them are patient, statistics,
 * addresses that are looked up when used).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "../abi/event_channel.h"
#include "../abi/grant_table.h"
#include "arch.h"
#include "validate.h"

bool validate_fail(struct validation *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (c->ok && c->len != 0)
        vsnprintf(c->text, c->len, format, list);
    va_end(list);
    c->ok = false;
    return false;
}

uint64_t limit_value(const void *object, const struct limit *limit)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)object + limit->offset, limit->size);
    return value;
}

bool validate_within(struct validation *c, const void *object, const struct limit *limits, size_t count, const char *what,
                     unsigned number)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = limit_value(object, &limits[i]);
        if (value > limits[i].max)
            return validate_fail(c, "%s %u: %s is %#llx, at most %#llx is possible", what, number, limits[i].name,
                                 (unsigned long long)value, (unsigned long long)limits[i].max);
    }
    return true;
}

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    return size == 0 || (b[0] == 0 && memcmp(b, b + 1, size - 1) == 0);
}

/* ---- the root ---- */

static const struct limit root_limits[] = {
    LIMIT(struct hv_state, idle_ns, FAR_FUTURE), LIMIT(struct hv_state, retired, FAR_FUTURE),
    LIMIT(struct hv_state, wallclock_ns, FAR_FUTURE), LIMIT(struct hv_state, domain_slots, HV_MAX_DOMAINS),
};

static bool check_root(struct validation *c)
{
    const struct hv *hv = c->hv;
    const struct hv_state *s = hv->s;
    struct hv_state layout = {0};
    hv_lay_out(&layout, machine_frames(hv->m));
    if (s->version != layout.version || s->frames != layout.frames || s->evtchn_offset != layout.evtchn_offset ||
        s->grant_offset != layout.grant_offset || s->maptrack_offset != layout.maptrack_offset ||
        s->page_offset != layout.page_offset || s->hvm_vcpu_offset != layout.hvm_vcpu_offset ||
        s->hvm_domain_offset != layout.hvm_domain_offset || s->arm_vcpu_offset != layout.arm_vcpu_offset ||
        s->arm_domain_offset != layout.arm_domain_offset)
        return validate_fail(c, "the tables of the arena are not laid out as here");
    if (!validate_within(c, s, root_limits, COUNT(root_limits), "hypervisor", 0))
        return false;
    if (s->m2p_frame != 1 || s->m2p_frames != (s->frames + 511) / 512 || s->free_hint > s->frames)
        return validate_fail(c, "the machine-to-phys table or the frame allocator is not where it must be");
    if (s->running != HV_NO_SLOT && (s->running >= HV_MAX_VCPUS || !hv->cpus[s->running]))
        return validate_fail(c, "vcpu slot %u is on the processor, and there is none", s->running);
    return true;
}

/* Nothing lies in parts of the arena that are not in use; free frames that count as clean are empty. */
static bool check_leftovers(struct validation *c)
{
    const struct hv *hv = c->hv;
    struct arena_span spans[HV_SPANS_MAX];
    uint32_t count = hv_spans_in_use(hv, spans);
    const struct image *image = hv_snapshot_image(c->snapshot);
    for (uint64_t unit = 0; image_next(image, &unit); unit++) {
        bool used = false;
        if (unit < hv->s->frames) {
            const struct page_info *page = &hv->pages[unit];
            used = page->owner != OWNER_NONE || page->ref_info & PGC_DIRTY;
        }
        uint64_t at = (unit - hv->s->frames) * ENGINE_PAGE_SIZE;
        for (uint32_t i = 0; unit >= hv->s->frames && !used && i < count; i++)
            used = at + ENGINE_PAGE_SIZE > spans[i].offset && at < spans[i].offset + spans[i].bytes;
        if (!used)
            return validate_fail(c, "page %#llx is in the file, and nothing uses it", (unsigned long long)unit);
    }
    return true;
}

/* ---- domains ---- */

static const struct limit domain_limits[] = {
    LIMIT(struct domain, domid, DOMID_FIRST_RESERVED - 1), LIMIT(struct domain, used, 1), LIMIT(struct domain, dying, 0),
    LIMIT(struct domain, type, DOMAIN_ARM32), LIMIT(struct domain, narrow, 1), LIMIT(struct domain, narrow_pad, 0),
    LIMIT(struct domain, shut_down, 1), LIMIT(struct domain, privileged, 1),
    LIMIT(struct domain, fifo, 1), LIMIT(struct domain, vcpu_count, HV_DOMAIN_VCPUS),
    LIMIT(struct domain, e820_entries, HV_E820_ENTRIES), LIMIT(struct domain, rings_held, HV_RING_STORE | HV_RING_CONSOLE),
    LIMIT(struct domain, max_pages, UINT64_C(1) << 40), LIMIT(struct domain, store_port, HV_MAX_PORTS - 1),
    LIMIT(struct domain, console_port, HV_MAX_PORTS - 1), LIMIT(struct domain, ports, HV_MAX_PORTS),
    LIMIT(struct domain, next_free_port, HV_MAX_PORTS), LIMIT(struct domain, grant_version, 2),
    LIMIT(struct domain, grant_frames, HV_GRANT_FRAMES), LIMIT(struct domain, fifo_pages, HV_FIFO_PAGES),
    LIMIT(struct domain, grant_status_frames, HV_GRANT_STATUS_FRAMES),
    LIMIT(struct domain, maptrack_used, HV_MAX_MAPTRACK), LIMIT(struct domain, time_offset_seconds, UINT32_MAX),
};

/* Is `mfn` a frame of this domain's, of Xen's heap or of its own memory? 0 means "none". */
static bool own(struct validation *c, const struct domain *d, uint64_t mfn, bool heap, const char *what)
{
    const struct hv *hv = c->hv;
    if (mfn == 0)
        return true;
    if (mfn >= hv->s->frames || hv->pages[mfn].owner != d->domid || !(hv->pages[mfn].ref_info & PGC_XEN_HEAP) != !heap)
        return validate_fail(c, "domain %u: %s is frame %#llx, which is not its own", d->domid, what,
                             (unsigned long long)mfn);
    return true;
}

/* Entries below `used` are the domain's frames, those behind are empty. */
static bool own_all(struct validation *c, const struct domain *d, const uint64_t *frames, uint32_t used, uint32_t size,
                    bool heap, const char *what)
{
    for (uint32_t i = 0; i < size; i++)
        if (!own(c, d, frames[i], heap, what) || (frames[i] != 0) != (i < used))
            return validate_fail(c, "domain %u: %s are not as many as it says", d->domid, what);
    return true;
}

static bool check_vcpu_slots(struct validation *c, const struct domain *d)
{
    const struct hv *hv = c->hv;
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++) {
        uint16_t slot = d->vcpu_slot[id];
        const struct vcpu *v = slot < HV_MAX_VCPUS ? &hv->s->vcpus[slot] : NULL;
        if ((slot == HV_NO_SLOT) != (id >= d->vcpu_count) || (slot != HV_NO_SLOT && (!v || !hv->cpus[slot])))
            return validate_fail(c, "domain %u: vcpu %u has slot %u", d->domid, id, slot);
        if (v && (v->slot != slot || v->domain_slot != d->slot || v->id != id || v->domid != d->domid))
            return validate_fail(c, "domain %u: vcpu %u does not know its place", d->domid, id);
    }
    return true;
}

static bool check_domain(struct validation *c, unsigned slot)
{
    const struct hv *hv = c->hv;
    const struct domain *d = &hv->s->domains[slot];
    if (!d->used)
        return all_zero(d, sizeof *d) || validate_fail(c, "domain slot %u is not used and not empty", slot);
    if (!validate_within(c, d, domain_limits, COUNT(domain_limits), "domain slot", slot))
        return false;
    if (slot >= hv->s->domain_slots || d->slot != slot || d->grant_version == 0 || hv_domain_by_id(c->hv, d->domid) != d)
        return validate_fail(c, "domain slot %u: it does not know its place", slot);
    if (!hv_arch(d))
        return validate_fail(c, "domain slot %u: domains of type %u are not built in", slot, d->type);
    if (d->type == DOMAIN_PV32 || (d->type == DOMAIN_PV64 && d->narrow))
        return validate_fail(c, "domain slot %u: 32-bit PV domains are not there", slot);
    if (d->grant_version == 2 && d->grant_status_frames * 8 < d->grant_frames)
        return validate_fail(c, "domain %u: its grants of version 2 have no place for their status", d->domid);
    return own(c, d, d->shared_info_frame, true, "shared_info") &&
           own(c, d, d->store_frame, false, "the store's ring") && own(c, d, d->console_frame, false, "the console's ring") &&
           own(c, d, d->pirq_eoi_frame, false, "the EOI map") &&
           own_all(c, d, d->grant_frame, d->grant_frames, HV_GRANT_FRAMES, true, "grant frames") &&
           own_all(c, d, d->grant_status_frame, d->grant_status_frames, HV_GRANT_STATUS_FRAMES, true, "status frames") &&
           own_all(c, d, d->fifo_page, d->fifo_pages, HV_FIFO_PAGES, false, "event array pages") && check_vcpu_slots(c, d);
}

/* ---- vcpus ---- */

static const struct limit vcpu_limits[] = {
    LIMIT(struct vcpu, initialised, 1), LIMIT(struct vcpu, online, 1), LIMIT(struct vcpu, blocked, 1),
    LIMIT(struct vcpu, polling, 1), LIMIT(struct vcpu, kernel_mode, 1), LIMIT(struct vcpu, nmi_pending, 1),
    LIMIT(struct vcpu, nmi_masked, 1), LIMIT(struct vcpu, iopl, 3), LIMIT(struct vcpu, undisturbed, 1),
    LIMIT(struct vcpu, fpu_taskswitch, 1), LIMIT(struct vcpu, runstate, RS_OFFLINE), LIMIT(struct vcpu, kernel_ss, 0xffff),
    LIMIT(struct vcpu, old_table_partial, 1), LIMIT(struct vcpu, gdt_entries, 512 * 14),
    LIMIT(struct vcpu, ldt_entries, 8192), LIMIT(struct vcpu, iobmp_ports, 65536),
    LIMIT(struct vcpu, retired, FAR_FUTURE), LIMIT(struct vcpu, sched_order, FAR_FUTURE),
    LIMIT(struct vcpu, fifo_control_offset, ENGINE_PAGE_SIZE - sizeof(struct evtchn_fifo_control_block)),
};

static bool check_arrays(struct validation *c, const struct vcpu *v)
{
    for (unsigned i = 0; i < HV_VIRQS; i++)
        if (v->virq_port[i] >= HV_MAX_PORTS)
            return validate_fail(c, "vcpu slot %u: virq %u has port %u", v->slot, i, v->virq_port[i]);
    for (unsigned i = 0; i < HV_FIFO_PRIORITIES; i++)
        if (v->fifo_tail[i] >= HV_MAX_PORTS)
            return validate_fail(c, "vcpu slot %u: queue %u ends at port %u", v->slot, i, v->fifo_tail[i]);
    return true;
}

/* Frames that the vcpu names; that it holds them is the audit's to find out. */
static bool check_vcpu_frames(struct validation *c, const struct domain *d, const struct vcpu *v)
{
    bool ok = own(c, d, v->cr3_kernel >> ENGINE_PAGE_SHIFT, false, "cr3_kernel") &&
              own(c, d, v->cr3_user >> ENGINE_PAGE_SHIFT, false, "cr3_user") && own(c, d, v->old_table, false, "old_table") &&
              own(c, d, v->fifo_control_frame, false, "a control block");
    for (unsigned i = 0; ok && i < HV_GDT_PAGES; i++)
        ok = i == HV_GDT_PAGES - 2 ? v->gdt_frames[i] == (hv_arch(d)->kind == HV_KIND_PV ? c->hv->s->xen_gdt_frame : 0) : own(c, d, v->gdt_frames[i], false, "a GDT");
    for (unsigned i = 0; ok && i < HV_GDT_PAGES; i++)
        ok = own(c, d, v->ldt_frames[i], false, "an LDT");
    uint64_t info = v->info_pa >> ENGINE_PAGE_SHIFT, offset = v->info_pa & (ENGINE_PAGE_SIZE - 1);
    ok = ok && own(c, d, info, info == d->shared_info_frame, "vcpu_info");
    if (!ok || ((v->cr3_kernel | v->cr3_user) & (ENGINE_PAGE_SIZE - 1)) || (v->info_pa != 0 && info == 0) ||
        offset > ENGINE_PAGE_SIZE - sizeof(struct vcpu_info) || offset % 8 || v->fifo_control_offset % 8 ||
        (v->initialised && d->shared_info_frame == 0))
        return validate_fail(c, "vcpu slot %u: an address of it is no place for what it names", v->slot);
    return true;
}

/* As those of which kind of processor were the registers judged? */
static uint32_t judged_kind(const struct validation *c, uint32_t slot)
{
    uint32_t count, i = 0;
    const struct hv_saved_cpu *cpus = hv_snapshot_cpus(c->snapshot, &count);
    while (i + 1 < count && cpus[i].slot != slot)
        i++;
    return cpus[i].kind;
}

static bool check_vcpu(struct validation *c, uint32_t slot)
{
    struct hv *hv = c->hv;
    struct vcpu *v = &hv->s->vcpus[slot];
    if (!hv->cpus[slot]) {           /* the scheduler keeps its place in slot 0, whether it is used or not */
        uint64_t order = v->sched_order;
        v->sched_order = 0;
        bool empty = all_zero(v, sizeof *v) && order <= FAR_FUTURE;
        v->sched_order = order;
        return empty || validate_fail(c, "vcpu slot %u is not used and not empty", slot);
    }
    const struct domain *d = v->domain_slot < HV_MAX_DOMAINS ? &hv->s->domains[v->domain_slot] : NULL;
    if (!d || !d->used || v->id >= HV_DOMAIN_VCPUS || d->vcpu_slot[v->id] != slot)
        return validate_fail(c, "vcpu slot %u belongs to no domain", slot);
    if (hv_arch(d)->kind != judged_kind(c, slot))
        return validate_fail(c, "vcpu slot %u: its domain has other processors", slot);
    return validate_within(c, v, vcpu_limits, COUNT(vcpu_limits), "vcpu slot", slot) && check_arrays(c, v) &&
           check_vcpu_frames(c, d, v) && hv_arch(d)->vcpu_ok(c, v);
}

/* What domains of a kind have beside, and their physmaps. */
static bool check_kinds(struct validation *c)
{
    uint8_t *seen = calloc(c->hv->s->frames, 1);
    bool ok = seen || validate_fail(c, "the host has no memory to check it");
    for (uint32_t slot = 0; ok && slot < c->hv->s->domain_slots; slot++) {
        const struct domain *d = &c->hv->s->domains[slot];
        ok = !d->used || ((!hv_arch(d)->domain_ok || hv_arch(d)->domain_ok(c, d)) && validate_p2m(c, d, seen));
    }
    free(seen);
    return ok;
}

/* Slots up to the last with a processor, and what shares its last page of the arena. */
static bool check_vcpus(struct validation *c)
{
    struct arena_span spans[HV_SPANS_MAX];
    (void)hv_spans_in_use(c->hv, spans);
    uint64_t end = (spans[1].offset + spans[1].bytes + ENGINE_PAGE_SIZE - 1) / ENGINE_PAGE_SIZE * ENGINE_PAGE_SIZE;
    for (uint32_t slot = 0; slot < HV_MAX_VCPUS; slot++)
        if (offsetof(struct hv_state, vcpus) + slot * sizeof(struct vcpu) < end && !check_vcpu(c, slot))
            return false;
    return true;
}

/* ---- event channels ---- */

static const struct limit evtchn_limits[] = {
    LIMIT(struct evtchn, state, ECS_IPI), LIMIT(struct evtchn, priority, HV_FIFO_PRIORITIES - 1),
    LIMIT(struct evtchn, pending, 1), LIMIT(struct evtchn, last_priority, HV_FIFO_PRIORITIES - 1),
    LIMIT(struct evtchn, notify_vcpu, HV_DOMAIN_VCPUS - 1), LIMIT(struct evtchn, last_vcpu, HV_DOMAIN_VCPUS - 1),
    LIMIT(struct evtchn, remote_port, HV_MAX_PORTS - 1),
};

static bool check_channels(struct validation *c, const struct domain *d)
{
    enum { A_PAGE = ENGINE_PAGE_SIZE / sizeof(struct evtchn) };
    const struct evtchn *e = &c->hv->evtchns[(size_t)d->slot * HV_MAX_PORTS];
    for (uint32_t port = 0; port < (d->ports + A_PAGE - 1) / A_PAGE * A_PAGE; port++) {
        if (port >= d->ports && e[port].state != ECS_FREE)
            return validate_fail(c, "domain %u: port %u is in use, and there are %u", d->domid, port, d->ports);
        if (!validate_within(c, &e[port], evtchn_limits, COUNT(evtchn_limits), "port", port))
            return false;
        if (e[port].state == ECS_VIRQ && e[port].remote_port >= HV_VIRQS)
            return validate_fail(c, "domain %u: port %u is of virq %u", d->domid, port, e[port].remote_port);
    }
    return true;
}

static bool check_all_domains(struct validation *c, bool (*check)(struct validation *, const struct domain *))
{
    for (uint32_t slot = 0; slot < c->hv->s->domain_slots; slot++)
        if (c->hv->s->domains[slot].used && !check(c, &c->hv->s->domains[slot]))
            return false;
    return true;
}

bool hv_validate(struct hv *hv, struct hv_snapshot *snapshot, char *text, uint64_t len)
{
    struct validation c = {.hv = hv, .snapshot = snapshot, .text = text, .len = len, .ok = true};
    if (len != 0)
        text[0] = 0;
    if (!check_root(&c))
        return false;
    for (unsigned slot = 0; slot < HV_MAX_DOMAINS; slot++)
        if (!check_domain(&c, slot))
            return false;
    return check_leftovers(&c) && validate_frames(&c) && check_vcpus(&c) && check_kinds(&c) &&
           check_all_domains(&c, check_channels) && check_all_domains(&c, validate_grants);
}
