/* snapshot.c - everything that a run can change, saved and put back: memory and arena by an image of the engine's
 * (native/engine/image.c), registers in canonical form, and the logs and statistics as far as they speak of the past.
 *
 * Invariant: a snapshot is taken between two calls of hv_run(), when nothing is half done. What struct hv holds beside
 * the arena is then caches, which restoring drops, and logs, of which it drops what has not happened yet.
 */
#include <stdlib.h>
#include "arch.h"

struct hv_snapshot {
    struct image *memory;
    const char *crash_reason;
    struct hv_counts *counts;           /* [domain_slots] */
    uint32_t domain_slots, cpus;
    struct hv_saved_cpu cpu[];
};

/* ---- which parts of the arena are in use ---- */

static uint32_t vcpu_slots(const struct hv *hv)
{
    uint32_t n = HV_MAX_VCPUS;
    while (n > 0 && !hv->cpus[n - 1])
        n--;
    return n;
}

/* Handles of grants in use lie below the highest one; the hint for the next search is in entry 0. */
static uint64_t maptrack_used(const struct hv *hv, const struct domain *d)
{
    const struct maptrack *track = &hv->maptracks[(size_t)d->slot * HV_MAX_MAPTRACK];
    uint64_t used = 1;
    for (uint32_t i = 0, left = d->maptrack_used; left != 0 && i < HV_MAX_MAPTRACK; i++) {
        if (track[i].flags == 0)
            continue;
        used = i + 1u;
        left--;
    }
    return used;
}

/* Part of the arena, unless it is among the first `n`; how many there are. */
static uint32_t add_once(struct arena_span *spans, uint32_t n, struct arena_span span)
{
    for (uint32_t i = 0; i < n; i++)
        if (spans[i].offset == span.offset)
            return n;
    spans[n] = span;
    return n + 1;
}

/* What a domain has of a table of its architecture, from entry `first` on. */
static struct arena_span part_of(const struct hv_state *s, const struct arch_part *part, uint64_t first, uint64_t count)
{
    uint64_t offset;
    memcpy(&offset, (const uint8_t *)s + part->at, sizeof offset);
    return (struct arena_span){offset + first * part->bytes, count * part->bytes};
}

uint32_t hv_spans_in_use(const struct hv *hv, struct arena_span spans[HV_SPANS_MAX])
{
    const struct hv_state *s = hv->s;
    uint32_t n = 0;
    spans[n++] = (struct arena_span){0, offsetof(struct hv_state, domains) + s->domain_slots * sizeof(struct domain)};
    spans[n++] = (struct arena_span){offsetof(struct hv_state, vcpus), vcpu_slots(hv) * sizeof(struct vcpu)};
    spans[n++] = (struct arena_span){offsetof(struct hv_state, evtchn_offset),
                                     sizeof *s - offsetof(struct hv_state, evtchn_offset)};
    spans[n++] = (struct arena_span){s->page_offset, s->frames * sizeof(struct page_info)};
    for (uint32_t slot = 0; slot < s->domain_slots; slot++) {
        const struct domain *d = &s->domains[slot];
        const struct arch *arch = d->used ? hv_arch(d) : NULL;
        if (!arch)
            continue;
        if (arch->domain.bytes)
            spans[n++] = part_of(s, &arch->domain, slot, 1);
        if (arch->vcpu.bytes)
            n = add_once(spans, n, part_of(s, &arch->vcpu, 0, vcpu_slots(hv)));
        spans[n++] = (struct arena_span){s->evtchn_offset + (uint64_t)slot * HV_MAX_PORTS * sizeof(struct evtchn),
                                         d->ports * sizeof(struct evtchn)};
        spans[n++] = (struct arena_span){
            s->grant_offset + (uint64_t)slot * HV_MAX_GRANTS * sizeof(struct active_grant),
            (uint64_t)d->grant_frames * (ENGINE_PAGE_SIZE / 8) * sizeof(struct active_grant)};
        spans[n++] = (struct arena_span){s->maptrack_offset + (uint64_t)slot * HV_MAX_MAPTRACK * sizeof(struct maptrack),
                                         maptrack_used(hv, d) * sizeof(struct maptrack)};
    }
    return n;
}

/* ---- taking ---- */

static void save_counts(const struct hv *hv, struct hv_counts *counts, uint32_t slots)
{
    for (uint32_t slot = 0; slot < slots; slot++) {
        memcpy(counts[slot].hypercalls, hv->hypercall_counts[slot], sizeof counts->hypercalls);
        memcpy(counts[slot].traps, hv->trap_counts[slot], sizeof counts->traps);
    }
}

static void save_cpus(const struct hv *hv, struct hv_snapshot *snapshot)
{
    for (uint32_t slot = 0; slot < HV_MAX_VCPUS; slot++) {
        if (!hv->cpus[slot])
            continue;
        struct hv_saved_cpu *saved = &snapshot->cpu[snapshot->cpus++];
        saved->slot = slot;
        saved->kind = hv_arch(&hv->s->domains[hv->s->vcpus[slot].domain_slot])->kind;
        cpu_save(hv->cpus[slot], &saved->state);
    }
}

static struct hv_snapshot *new_snapshot(uint32_t cpus, uint32_t domain_slots)
{
    struct hv_snapshot *snapshot = calloc(1, sizeof *snapshot + cpus * sizeof snapshot->cpu[0]);
    if (!snapshot)
        return NULL;
    snapshot->counts = calloc(domain_slots + 1u, sizeof *snapshot->counts);
    snapshot->domain_slots = domain_slots;
    if (!snapshot->counts) {
        free(snapshot);
        return NULL;
    }
    return snapshot;
}

int hv_snapshot_take(struct hv *hv, struct hv_snapshot **out)
{
    struct arena_span spans[HV_SPANS_MAX];
    struct hv_snapshot *snapshot = new_snapshot(vcpu_slots(hv), hv->s->domain_slots);
    if (!snapshot)
        return -ENOMEM;
    int error = machine_save(hv->m, spans, hv_spans_in_use(hv, spans), &snapshot->memory);
    if (error) {
        hv_snapshot_release(snapshot);
        return error;
    }
    save_cpus(hv, snapshot);
    save_counts(hv, snapshot->counts, snapshot->domain_slots);
    snapshot->crash_reason = hv->crash_reason;
    *out = snapshot;
    return 0;
}

void hv_snapshot_release(struct hv_snapshot *snapshot)
{
    if (!snapshot)
        return;
    image_release(snapshot->memory);
    free(snapshot->counts);
    free(snapshot);
}

struct image *hv_snapshot_image(struct hv_snapshot *snapshot) { return snapshot->memory; }

const char *hv_snapshot_crash_reason(const struct hv_snapshot *snapshot) { return snapshot->crash_reason; }

struct hv_counts *hv_snapshot_counts(struct hv_snapshot *snapshot, uint32_t *count)
{
    *count = snapshot->domain_slots;
    return snapshot->counts;
}

struct hv_saved_cpu *hv_snapshot_cpus(struct hv_snapshot *snapshot, uint32_t *count)
{
    *count = snapshot->cpus;
    return snapshot->cpu;
}

int hv_snapshot_blank(struct hv *hv, const struct hv_snapshot *base, uint32_t cpus, struct hv_snapshot **out)
{
    struct hv_snapshot *snapshot = cpus <= HV_MAX_VCPUS ? new_snapshot(cpus, HV_MAX_DOMAINS) : NULL;
    if (!snapshot)
        return cpus <= HV_MAX_VCPUS ? -ENOMEM : -EINVAL;
    int error = 0;
    if (!base)
        error = image_create(&snapshot->memory, machine_frames(hv->m), machine_arena_bytes(hv->m));
    else if (!(snapshot->memory = image_copy(base->memory)))
        error = -ENOMEM;
    if (error) {
        hv_snapshot_release(snapshot);
        return error;
    }
    snapshot->cpus = cpus;
    *out = snapshot;
    return 0;
}

/* ---- putting back ---- */

/* The cpus that the snapshot has and no others, whatever they hold. A processor of another model is another one. */
static int match_cpus(struct hv *hv, const struct hv_snapshot *snapshot)
{
    const struct arch *wanted[HV_MAX_VCPUS] = {NULL};
    for (uint32_t i = 0; i < snapshot->cpus; i++)     /* the arena may be a file's that nobody has looked at yet */
        if (!(wanted[snapshot->cpu[i].slot] = hv_arch_of_kind(snapshot->cpu[i].kind)))
            return -EINVAL;
    for (uint32_t slot = 0; slot < HV_MAX_VCPUS; slot++) {
        if (hv->cpus[slot] && (!wanted[slot] || hv->models[slot] != wanted[slot]->model)) {
            cpu_destroy(hv->cpus[slot]);
            hv->cpus[slot] = NULL;
        }
        if (!wanted[slot])
            continue;
        int error = hv->cpus[slot] ? hv_bind_cpu(hv, hv->cpus[slot], wanted[slot]->kind) : hv_make_cpu(hv, slot, wanted[slot]);
        if (error)
            return error;
    }
    return 0;
}

/* Records and refusals that have not happened yet are forgotten. */
static void rewind_logs(struct hv *hv)
{
    uint64_t now = hv->s->retired;
    struct trap_log *traps = &hv->traps;
    while (hv->log_head != hv->log_tail && hv->log[(hv->log_head - 1) % HV_REFUSAL_LOG].when > now)
        hv->log_head--;
    hv_traps_rewind(hv, now);
    memset(traps->last, 0, sizeof traps->last);
    memset(&hv->last, 0, sizeof hv->last);
}

static void load_counts(struct hv *hv, const struct hv_snapshot *snapshot)
{
    for (uint32_t slot = 0; slot < snapshot->domain_slots; slot++) {
        memcpy(hv->hypercall_counts[slot], snapshot->counts[slot].hypercalls, sizeof hv->hypercall_counts[slot]);
        memcpy(hv->trap_counts[slot], snapshot->counts[slot].traps, sizeof hv->trap_counts[slot]);
    }
}

int hv_snapshot_restore(struct hv *hv, const struct hv_snapshot *snapshot)
{
    struct arena_span spans[HV_SPANS_MAX];
    int error = machine_load(hv->m, snapshot->memory, spans, hv_spans_in_use(hv, spans));
    if (!error)
        error = match_cpus(hv, snapshot);
    if (error)
        return error;
    for (uint32_t i = 0; i < snapshot->cpus; i++)
        cpu_load(hv->cpus[snapshot->cpu[i].slot], &snapshot->cpu[i].state);
    load_counts(hv, snapshot);
    hv->crash_reason = snapshot->crash_reason;
    hv->tlb_stale = false;
    if (&X86_MACHINE)
        X86_MACHINE.restored(hv);
    hv->mm_vcpu = NULL;
    rewind_logs(hv);
    return 0;
}
