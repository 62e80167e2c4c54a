/* mm_audit.c - the books recomputed from scratch.
 *
 * hv_audit() believes only two things: which frames are validated tables, and the list of holders in mm.h. From the
 * entries of those tables (x86/mm_audit_tables.c) and from the holders it computes what every count must be, and compares.
 * Beside the counts it checks what they are for: that no table is writable, that no entry leads to a free frame, that a frame
 * of another domain is mapped only where the grant table says so, that Xen's L4 slots are empty, that free frames are free.
 * Host memory is used for the sums; nothing of the machine changes.
 */
#include "../abi/grant_table.h"
#include "arch.h"
#include "mm.h"
#include "p2m.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void hv_differ(struct differences *found, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (found->count++ == 0 && found->len != 0)
        vsnprintf(found->text, found->len, format, list);
    va_end(list);
}

void mm_hold(struct audit *a, uint64_t mfn, uint32_t type, const char *who, uint64_t id)
{
    const struct page_info *page = mm_page(a->hv, mfn);
    if (!page) {
        hv_differ(&a->found, "%s %#llx holds frame %#llx, which does not exist", who, (unsigned long long)id,
               (unsigned long long)mfn);
        return;
    }
    a->refs[mfn]++;
    if (type == PGT_none)
        return;
    a->types[mfn]++;
    if (page_type(page) != type)
        hv_differ(&a->found, "%s %#llx holds frame %#llx as type %u, but its type is %u", who, (unsigned long long)id,
               (unsigned long long)mfn, type, page_type(page));
}

static void audit_frames(struct audit *a)
{
    for (uint64_t f = 0; f < a->hv->s->frames; f++) {
        const struct page_info *page = &a->hv->pages[f];
        uint32_t type = page_type(page);
        if (page->ref_info & PGC_ALLOCATED)
            a->refs[f]++;
        if (page->ref_info & PGC_XEN_HEAP)
            a->types[f]++;
        if (page->type_info & PGT_PINNED)
            mm_hold(a, f, type, "pin of", f);
        if (page_type_count(page) == 0)
            continue;
        if (page_partial(page))
            mm_hold(a, f, type, "interrupted validation of", f);
        if (!(page->type_info & PGT_VALIDATED) && !page_partial(page))
            hv_differ(&a->found, "frame %#llx has type references but is not validated", (unsigned long long)f);
        else if (&DIRECT_PAGING)
            DIRECT_PAGING.audit_frame(a, f);
    }
}

static void audit_vcpu(struct audit *a, const struct domain *d, const struct vcpu *v)
{
    if (v->old_table)
        mm_hold(a, v->old_table, v->old_table_partial ? PGT_none : page_type(&a->hv->pages[v->old_table]),
             "old table of vcpu", v->id);
    if (&DIRECT_PAGING)
        DIRECT_PAGING.audit_vcpu(a, v);
    if (v->info_pa && v->info_pa >> 12 != d->shared_info_frame)
        mm_hold(a, v->info_pa >> 12, PGT_writable, "vcpu_info of vcpu", v->id);
    if (v->fifo_control_frame)
        mm_hold(a, v->fifo_control_frame, PGT_writable, "FIFO control block of vcpu", v->id);
}

static void audit_domain(struct audit *a, const struct domain *d)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < HV_DOMAIN_VCPUS; i++)
        if (hv_vcpu(a->hv, d, i))
            audit_vcpu(a, d, hv_vcpu(a->hv, d, i));
    for (unsigned i = 0; i < HV_FIFO_PAGES; i++)
        if (d->fifo_page[i])
            mm_hold(a, d->fifo_page[i], PGT_writable, "FIFO array of domain", d->domid);
    if (d->pirq_eoi_frame)
        mm_hold(a, d->pirq_eoi_frame, PGT_writable, "EOI map of domain", d->domid);
    if (d->rings_held & HV_RING_STORE)
        mm_hold(a, d->store_frame, PGT_writable, "xenstore ring of domain", d->domid);
    if (d->rings_held & HV_RING_CONSOLE)
        mm_hold(a, d->console_frame, PGT_writable, "console ring of domain", d->domid);
    const struct maptrack *track = &a->hv->maptracks[(size_t)d->slot * HV_MAX_MAPTRACK];
    for (unsigned i = 0; d->maptrack_used != 0 && i < HV_MAX_MAPTRACK; i++) {
        if (track[i].flags & GNTMAP_host_map && p2m_of(a->hv, d))
            mm_hold(a, track[i].frame, track[i].flags & GNTMAP_readonly ? PGT_none : PGT_writable, "physmap's grant", i);
        if (track[i].flags & GNTMAP_device_map)
            mm_hold(a, track[i].frame, track[i].flags & GNTMAP_readonly ? PGT_none : PGT_writable, "device map", i);
    }
    for (uint64_t f = 0; f < a->hv->s->frames; f++)
        pages += a->hv->pages[f].owner == d->domid && !(a->hv->pages[f].ref_info & PGC_XEN_HEAP);
    if (pages != d->tot_pages)
        hv_differ(&a->found, "domain %u has %llu frames, tot_pages says %llu", d->domid, (unsigned long long)pages,
               (unsigned long long)d->tot_pages);
}

static void compare(struct audit *a)
{
    uint64_t free_frames = 0;
    for (uint64_t f = 0; f < a->hv->s->frames; f++) {
        const struct page_info *page = &a->hv->pages[f];
        bool is_free = page->owner == OWNER_NONE;
        free_frames += is_free;
        if (page_refs(page) != a->refs[f])
            hv_differ(&a->found, "frame %#llx has %u references, %u are accounted for", (unsigned long long)f, page_refs(page),
                   a->refs[f]);
        if (page_type_count(page) != a->types[f])
            hv_differ(&a->found, "frame %#llx (type %u) has %u type references, %u are accounted for", (unsigned long long)f,
                   page_type(page), page_type_count(page), a->types[f]);
        if (page_type_count(page) && page_type(page) <= PGT_l4 && page->linear_pt_count != a->linear[f])
            hv_differ(&a->found, "frame %#llx: linear count %d, should be %d", (unsigned long long)f, page->linear_pt_count,
                   a->linear[f]);
        if (is_free && (page_refs(page) || page->type_info || f < a->hv->s->free_hint))
            hv_differ(&a->found, "frame %#llx is free, yet in use or below the allocator's hint", (unsigned long long)f);
    }
    if (free_frames != a->hv->s->free_frames)
        hv_differ(&a->found, "%llu frames are free, the count says %llu", (unsigned long long)free_frames,
               (unsigned long long)a->hv->s->free_frames);
}

uint64_t hv_audit(struct hv *hv, char *text, uint64_t len)
{
    size_t frames = hv->s->frames;
    struct audit a = { .hv = hv, .found = { .text = text, .len = len } };
    if (len != 0)
        text[0] = 0;
    a.refs = calloc(frames, sizeof *a.refs);
    a.types = calloc(frames, sizeof *a.types);
    a.linear = calloc(frames, sizeof *a.linear);
    if (!a.refs || !a.types || !a.linear) {
        hv_differ(&a.found, "no host memory for the audit");
    } else {
        audit_frames(&a);
        for (unsigned i = 0; i < HV_MAX_DOMAINS; i++)
            if (hv->s->domains[i].used)
                audit_domain(&a, &hv->s->domains[i]);
        compare(&a);
        if (&X86_MACHINE)
            X86_MACHINE.audit(hv, &a.found);
    }
    free(a.refs);
    free(a.types);
    free(a.linear);
    return a.found.count;
}
