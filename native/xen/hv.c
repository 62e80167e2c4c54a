/* hv.c - making and unmaking a hypervisor: machine, arena, domain and vcpu slots. No policy.
 *
 * The arena holds hv_state, then four fixed tables. They are as large as the ABI allows and sparse: the host gives memory
 * for the pages that are touched. Everything else in struct hv is a cache, a statistic or a log.
 */
#include <stdlib.h>
#include "arch.h"
#include "p2m.h"
#include "mm.h"

enum { STATE_VERSION = 1 };
/* Default wall-clock time of system time 0: 2024-01-01T00:00:00Z. */
#define WALLCLOCK_NS (1704067200ull * 1000000000ull)

static uint64_t place(uint64_t *end, uint64_t bytes)
{
    uint64_t at = *end;
    *end = (at + bytes + ENGINE_PAGE_SIZE - 1) & ~(uint64_t)(ENGINE_PAGE_SIZE - 1);
    return at;
}

/* Kinds of one architecture share their tables: the first that comes places them. */
static void place_part(struct hv_state *s, const struct arch_part *part, uint64_t count, uint64_t *end)
{
    uint64_t offset;
    if (part->bytes == 0)
        return;
    memcpy(&offset, (const uint8_t *)s + part->at, sizeof offset);
    if (offset != 0)
        return;
    offset = place(end, count * part->bytes);
    memcpy((uint8_t *)s + part->at, &offset, sizeof offset);
}

uint64_t hv_lay_out(struct hv_state *s, uint64_t frames)
{
    uint64_t end = 0;
    s->version = STATE_VERSION;
    s->frames = frames;
    place(&end, sizeof *s);
    s->evtchn_offset = place(&end, (uint64_t)HV_MAX_DOMAINS * HV_MAX_PORTS * sizeof(struct evtchn));
    s->grant_offset = place(&end, (uint64_t)HV_MAX_DOMAINS * HV_MAX_GRANTS * sizeof(struct active_grant));
    s->maptrack_offset = place(&end, (uint64_t)HV_MAX_DOMAINS * HV_MAX_MAPTRACK * sizeof(struct maptrack));
    s->page_offset = place(&end, frames * sizeof(struct page_info));
    for (uint32_t kind = 0; kind < HV_KINDS; kind++) {
        const struct arch *arch = hv_arch_of_kind(kind);
        if (!arch)
            continue;
        place_part(s, &arch->vcpu, HV_MAX_VCPUS, &end);
        place_part(s, &arch->domain, HV_MAX_DOMAINS, &end);
    }
    return end;
}

static int open_machine(struct hv *hv, uint64_t frames)
{
    struct hv_state layout = {0};
    uint64_t bytes = hv_lay_out(&layout, frames);
    int error = machine_create(&hv->m, frames, bytes);
    if (error)
        return error;
    uint8_t *arena = machine_arena(hv->m);
    hv->s = (struct hv_state *)(void *)arena;
    hv_lay_out(hv->s, frames);
    hv->s->running = HV_NO_SLOT;
    hv->s->wallclock_ns = WALLCLOCK_NS;
    hv->evtchns = (struct evtchn *)(void *)(arena + hv->s->evtchn_offset);
    hv->grants = (struct active_grant *)(void *)(arena + hv->s->grant_offset);
    hv->maptracks = (struct maptrack *)(void *)(arena + hv->s->maptrack_offset);
    hv->pages = (struct page_info *)(void *)(arena + hv->s->page_offset);
    return 0;
}

int hv_create(struct hv **out, uint64_t frames)
{
    struct hv *hv = calloc(1, sizeof *hv);
    if (!hv)
        return -ENOMEM;
    (void)hv_trace(hv, NULL);     /* a quiet log needs no memory */
    int error = open_machine(hv, frames);
    if (!error)
        error = mm_init(hv);
    if (!error && &X86_MACHINE)
        error = X86_MACHINE.created(hv);
    if (error) {
        hv_destroy(hv);
        return error;
    }
    hv_bind_ops(hv);
    *out = hv;
    return 0;
}

void hv_destroy(struct hv *hv)
{
    if (!hv)
        return;
    for (unsigned i = 0; i < HV_MAX_VCPUS; i++)
        if (hv->cpus[i])
            cpu_destroy(hv->cpus[i]);
    if (hv->m)
        machine_destroy(hv->m);
    if (&X86_MACHINE)
        X86_MACHINE.destroyed(hv);
    (void)hv_trace(hv, NULL);
    (void)hv_keep_evidence(hv, false);
    free(hv);
}

struct machine *hv_machine(struct hv *hv) { return hv->m; }
struct hv_state *hv_state(struct hv *hv) { return hv->s; }
struct page_info *hv_pages(struct hv *hv) { return hv->pages; }
struct cpu *hv_cpu(struct hv *hv, uint32_t vcpu_slot) { return vcpu_slot < HV_MAX_VCPUS ? hv->cpus[vcpu_slot] : NULL; }
const char *hv_crash_reason(struct hv *hv) { return hv->crash_reason; }

/* ---- domains and vcpus ---- */

/* A domain that has gone still owns the frames that others map by its grants: its number is not free yet. */
static bool lingers(const struct hv *hv, uint16_t domid)
{
    for (uint64_t frame = 0; frame < hv->s->frames; frame++)
        if (hv->pages[frame].owner == domid)
            return true;
    return false;
}

/* A domain that has nothing yet. */
static void fresh_domain(struct hv *hv, struct domain *d, uint16_t slot, uint16_t domid, uint32_t type, uint64_t max_pages)
{
    memset(d, 0, sizeof *d);
    d->used = 1;
    d->slot = slot;
    d->domid = domid;
    d->type = (uint8_t)type;
    d->max_pages = max_pages;
    d->grant_version = 1;
    d->narrow = hv_arch(d)->narrow;
    if (hv_arch(d)->domain.bytes)
        memset(hv_domain_part(hv, d), 0, hv_arch(d)->domain.bytes);
    memset(d->vcpu_slot, 0xff, sizeof d->vcpu_slot);
}

int hv_domain_create(struct hv *hv, uint16_t domid, uint32_t type, uint64_t max_pages)
{
    if (!hv_arch_of_type(type))
        return -EINVAL;
    if (hv_domain_by_id(hv, domid) || lingers(hv, domid))
        return -EEXIST;
    for (uint16_t slot = 0; slot < HV_MAX_DOMAINS; slot++) {
        if (hv->s->domains[slot].used)
            continue;
        fresh_domain(hv, &hv->s->domains[slot], slot, domid, type, max_pages);
        if (hv->s->domain_slots <= slot)
            hv->s->domain_slots = slot + 1u;
        memset(hv->hypercall_counts[slot], 0, sizeof hv->hypercall_counts[slot]);
        memset(hv->trap_counts[slot], 0, sizeof hv->trap_counts[slot]);
        return slot;
    }
    return -ENOSPC;
}

/* Take from a domain all that it has. */
static void empty_domain(struct hv *hv, struct domain *d)
{
    d->dying = 1;
    evtchn_destroy(hv, d);
    grant_destroy(hv, d);
    for (unsigned i = 0; i < HV_DOMAIN_VCPUS; i++) {
        if (d->vcpu_slot[i] == HV_NO_SLOT)
            continue;
        struct vcpu *v = &hv->s->vcpus[d->vcpu_slot[i]];
        mm_vcpu_destroy(hv, v);
        cpu_destroy(hv->cpus[v->slot]);
        hv->cpus[v->slot] = NULL;
        if (hv->s->running == v->slot)
            hv->s->running = HV_NO_SLOT;
        memset(v, 0, sizeof *v);
        d->vcpu_slot[i] = HV_NO_SLOT;
    }
    if (p2m_of(hv, d))
        p2m_destroy(hv, p2m_of(hv, d));
    if (hv_arch(d)->domain_emptied)
        hv_arch(d)->domain_emptied(hv, d);
    mm_domain_destroy(hv, d);
}

void hv_domain_destroy(struct hv *hv, uint32_t slot)
{
    if (slot >= HV_MAX_DOMAINS || !hv->s->domains[slot].used)
        return;
    empty_domain(hv, &hv->s->domains[slot]);
    memset(&hv->s->domains[slot], 0, sizeof hv->s->domains[slot]);
}

int hv_domain_renew(struct hv *hv, uint32_t slot, uint32_t type, uint64_t max_pages)
{
    if (slot >= HV_MAX_DOMAINS || !hv->s->domains[slot].used || !hv_arch_of_type(type))
        return -EINVAL;
    struct domain *d = &hv->s->domains[slot];
    if (hv_grants_mapped(hv, d))
        return -EAGAIN;
    empty_domain(hv, d);
    if (lingers(hv, d->domid))    /* a privileged domain maps frames without grants */
        return -EBUSY;
    fresh_domain(hv, d, (uint16_t)slot, d->domid, type, max_pages);
    return 0;
}

int hv_vcpu_create(struct hv *hv, uint32_t domain_slot, uint32_t id)
{
    if (domain_slot >= HV_MAX_DOMAINS || !hv->s->domains[domain_slot].used || id >= HV_DOMAIN_VCPUS)
        return -EINVAL;
    struct domain *d = &hv->s->domains[domain_slot];
    if (d->vcpu_slot[id] != HV_NO_SLOT)
        return -EEXIST;
    uint32_t slot = 0;
    while (slot < HV_MAX_VCPUS && hv->cpus[slot])
        slot++;
    if (slot == HV_MAX_VCPUS)
        return -ENOSPC;
    const struct arch *arch = hv_arch(d);
    int error = hv_make_cpu(hv, slot, arch);
    if (error)
        return error;
    struct vcpu *v = &hv->s->vcpus[slot];
    memset(v, 0, sizeof *v);
    v->domid = d->domid;
    v->id = (uint16_t)id;
    v->slot = (uint16_t)slot;
    v->domain_slot = (uint16_t)domain_slot;
    v->kernel_mode = 1;
    v->runstate = RS_OFFLINE;
    v->runstate_since = hv_now(hv);
    if (arch->vcpu.bytes)
        memset(hv_vcpu_part(hv, v), 0, arch->vcpu.bytes);
    arch->vcpu_created(hv, v);
    d->vcpu_slot[id] = (uint16_t)slot;
    if (d->vcpu_count <= id)
        d->vcpu_count = id + 1;
    return (int)slot;
}

/* ---- refusals ---- */

static const uint8_t RULE_ERRNO[RULE_COUNT] = {
#define RULE(id, err, facts, text) [RULE_##id] = err,
#include "../abi/rules.def"
#undef RULE
};

int64_t hv_refuse(struct hv *hv, enum rule rule, uint64_t f0, uint64_t f1, uint64_t f2, uint64_t f3)
{
    const struct vcpu *v = hv->current;
    int64_t result = -(int64_t)RULE_ERRNO[rule];
    struct refusal *r = &hv->log[hv->log_head % HV_REFUSAL_LOG];
    *r = hv->last;
    r->when = hv_retired(hv);
    r->domid = v ? v->domid : OWNER_XEN;
    r->vcpu = v ? v->id : 0;
    r->rule = rule;
    r->facts[0] = f0;
    r->facts[1] = f1;
    r->facts[2] = f2;
    r->facts[3] = f3;
    r->result = result;
    hv->rule_counts[rule]++;
    if (v && hv->evidence)
        hv_take_evidence(hv, v, r->hypercall, r->args, &hv->evidence[hv->log_head % HV_REFUSAL_LOG]);
    if (v)
        hv_log_refusal(hv, v, rule, r->facts);
    hv->log_head++;
    if (hv->log_head - hv->log_tail > HV_REFUSAL_LOG)
        hv->log_tail = hv->log_head - HV_REFUSAL_LOG;
    return result;
}

uint32_t hv_rule_counts(struct hv *hv, uint64_t *out, uint32_t max)
{
    for (uint32_t i = 0; i < RULE_COUNT && i < max; i++)
        out[i] = hv->rule_counts[i];
    return RULE_COUNT;
}

uint32_t hv_refusals(struct hv *hv, struct refusal *out, uint32_t max)
{
    uint32_t n = 0;
    for (; n < max && hv->log_tail != hv->log_head; n++)
        out[n] = hv->log[hv->log_tail++ % HV_REFUSAL_LOG];
    return n;
}
