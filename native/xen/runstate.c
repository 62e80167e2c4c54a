/* runstate.c - which state each vcpu is in, how long it has been, and who is on the processor.
 *
 * Every nanosecond of a vcpu's life is in exactly one of Xen's four states (running, runnable, blocked, offline), so
 * runstate_time[] plus the time since runstate_since always adds up to its age. The guest sees the numbers through
 * VCPUOP_get_runstate_info, and in the area it registered, which is written when the vcpu goes on or off the processor.
 *
 * VMASST_TYPE_runstate_update_flag asks for XEN_RUNSTATE_UPDATE in state_entry_time while an update is under way.
 * All vcpus of the guest stand still during ours, so no guest can ever see the flag set: the area is simply written.
 */
#include "arch.h"
#include "evtchn.h"
#include "../abi/xen.h"
#include "../abi/vcpu.h"

void hv_runstate_set(struct hv *hv, struct vcpu *v, uint32_t state)
{
    uint64_t now = hv_now(hv);

    if (v->runstate == state)
        return;
    v->runstate_time[v->runstate & 3] += now - v->runstate_since;
    v->runstate_since = now;
    v->runstate = (uint8_t)(state & 3);
}

void hv_runstate_times(struct hv *hv, const struct vcpu *v, uint64_t out[4])
{
    memcpy(out, v->runstate_time, sizeof(v->runstate_time));
    out[v->runstate & 3] += hv_now(hv) - v->runstate_since;
}

int hv_copy_to_guest_kernel(struct hv *hv, struct vcpu *v, uint64_t va, const void *data, uint64_t len)
{
    uint8_t mode = v->kernel_mode;
    int result;

    v->kernel_mode = 1;
    result = hv_copy_to_guest(hv, v, va, data, len);
    v->kernel_mode = mode;
    return result;
}

void hv_runstate_publish(struct hv *hv, struct vcpu *v)
{
    uint8_t info[RUNSTATE_BYTES];

    if (v->runstate_va == 0)
        return;
    uint32_t length = hv_runstate_image(hv_domain(hv, v), v, info);
    /* A guest that has unmapped its area gets no news: Xen drops the update as silently. */
    (void)hv_copy_to_guest_kernel(hv, v, v->runstate_va, info, length);
}

static bool can_run(const struct domain *d, const struct vcpu *v)
{
    return !d->shut_down && !d->dying && v->initialised && v->online && !v->paused && !v->blocked;
}

static uint32_t resting_state(const struct domain *d, const struct vcpu *v)
{
    if (can_run(d, v))
        return RS_RUNNABLE;
    return v->blocked && v->online ? RS_BLOCKED : RS_OFFLINE;
}

uint32_t hv_runnable(struct hv *hv, uint16_t *slots, uint32_t max)
{
    uint32_t n = 0;

    for (uint32_t slot = 0; slot < HV_MAX_VCPUS && n < max; slot++) {
        const struct vcpu *v = &hv->s->vcpus[slot];
        const struct domain *d;

        if (hv->cpus[slot] == NULL)          /* most slots: found without touching their state */
            continue;
        if (!v->initialised || !v->online || v->domain_slot >= HV_MAX_DOMAINS)
            continue;
        d = &hv->s->domains[v->domain_slot];
        if (d->used && can_run(d, v))
            slots[n++] = (uint16_t)slot;
    }
    return n;
}

uint32_t hv_turn(struct hv *hv)
{
    const struct hv_state *s = hv->s;
    const struct vcpu *v;

    if (s->running >= HV_MAX_VCPUS || s->retired >= s->quantum_end)
        return HV_NO_SLOT;
    v = &s->vcpus[s->running];
    return can_run(hv_domain(hv, v), v) ? s->running : HV_NO_SLOT;
}

void hv_yield(struct hv *hv) { hv->s->quantum_end = hv_retired(hv); }

static void unmask_upcalls(struct hv *hv, struct vcpu *v)
{
    uint8_t *page = v->info_pa ? machine_frame(hv->m, v->info_pa >> ENGINE_PAGE_SHIFT) : NULL;

    if (page == NULL)
        return;
    machine_write_begin(hv->m, v->info_pa >> ENGINE_PAGE_SHIFT);
    ((struct vcpu_info *)(void *)(page + (v->info_pa & (ENGINE_PAGE_SIZE - 1))))->evtchn_upcall_mask = 0;
}

void hv_block(struct hv *hv, struct vcpu *v)
{
    const struct arch *arch = hv_arch_of(hv, v);

    /* events are enabled first, so that one that waits already ends the sleep */
    (arch->enable_events ? arch->enable_events : unmask_upcalls)(hv, v);
    v->blocked = !hv_event_deliverable(hv, v);
}

void hv_switch(struct hv *hv, uint32_t vcpu_slot)
{
    struct hv_state *s = hv->s;
    struct vcpu *v;

    hv_trace_switch(hv, s->running, vcpu_slot);
    if (s->running != vcpu_slot && s->running < HV_MAX_VCPUS) {
        v = &s->vcpus[s->running];
        hv_runstate_set(hv, v, resting_state(hv_domain(hv, v), v));
        hv_runstate_publish(hv, v);
    }
    if (vcpu_slot >= HV_MAX_VCPUS) {
        s->running = HV_NO_SLOT;
        return;
    }
    v = &s->vcpus[vcpu_slot];
    v->undisturbed = 0;
    if (s->running == vcpu_slot && v->runstate == RS_RUNNING)
        return;
    s->running = vcpu_slot;
    hv_runstate_set(hv, v, RS_RUNNING);
    hv_runstate_publish(hv, v);
    timer_switched_to(hv, v);
}
