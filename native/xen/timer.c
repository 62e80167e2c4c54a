/* timer.c - the timers of vcpus and domains: deadlines in system time, kept where the vcpu is kept.
 *
 *   single-shot  VCPUOP_set_singleshot_timer and set_timer_op (they share it): VIRQ_TIMER, once
 *   periodic     VCPUOP_set_periodic_timer; 100 Hz from birth for PV. Ticks only while its vcpu is on the processor,
 *                and once at a switch to it when a tick is overdue: a blocked vcpu is not woken by it, as in Xen
 *   poll         the time-out of SCHEDOP_poll: wakes the vcpu, sends nothing
 *   watchdog     SCHEDOP_watchdog, two a domain: shuts the domain down with SHUTDOWN_watchdog
 *
 * Nothing is queued: the earliest deadline is found by looking at all of them, which no event can leave out of step.
 */
#include "evtchn.h"
#include "arch.h"
#include "../abi/xen.h"
#include "../abi/sched.h"

enum { WATCHDOGS = 2 };

static void earlier(uint64_t *best, uint64_t deadline)
{
    if (deadline != 0 && deadline < *best)
        *best = deadline;
}

static bool alive(const struct domain *d)
{
    return d->used && !d->dying && !d->shut_down;
}

static bool ticks(const struct hv *hv, const struct vcpu *v)
{
    return v->periodic_period != 0 && hv->s->running == v->slot;
}

static uint64_t next_deadline(struct hv *hv, bool idle)
{
    uint64_t best = UINT64_MAX;

    for (uint32_t slot = 0; slot < hv->s->domain_slots; slot++) {
        const struct domain *d = &hv->s->domains[slot];

        if (!alive(d))
            continue;
        const struct arch *arch = hv_arch(d);
        for (uint32_t i = 0; i < WATCHDOGS; i++)
            earlier(&best, d->watchdog_deadline[i]);
        for (uint32_t id = 0, seen = 0; seen < d->vcpu_count && id < HV_DOMAIN_VCPUS; id++) {
            const struct vcpu *v = hv_vcpu(hv, d, id);

            if (v == NULL)
                continue;
            seen++;
            earlier(&best, v->singleshot_deadline);
            earlier(&best, v->poll_deadline);
            if (ticks(hv, v))
                earlier(&best, v->periodic_next);
            if (arch->deadline)
                earlier(&best, arch->deadline(hv, v));
        }
        for (uint32_t i = 0; i < HV_TIMERS; i++)
            if (!idle || (d->patient_timers >> i & 1) == 0)
                earlier(&best, d->timer[i]);
    }
    return best;
}

uint64_t hv_next_deadline(struct hv *hv)
{
    return next_deadline(hv, false);
}

uint64_t hv_idle_deadline(struct hv *hv)
{
    return next_deadline(hv, true);
}

uint32_t hv_take_timer(struct hv *hv, struct domain *d)
{
    uint32_t first = HV_TIMERS;

    for (uint32_t i = 0; i < HV_TIMERS; i++)
        if (d->timer[i] != 0 && d->timer[i] <= hv_now(hv) && (first == HV_TIMERS || d->timer[i] < d->timer[first]))
            first = i;
    if (first < HV_TIMERS)
        d->timer[first] = 0;
    return first;
}

bool hv_device_due(struct hv *hv)
{
    for (uint32_t slot = 0; slot < hv->s->domain_slots; slot++) {
        const struct domain *d = &hv->s->domains[slot];

        for (uint32_t i = 0; alive(d) && i < HV_TIMERS; i++)
            if (d->timer[i] != 0 && d->timer[i] <= hv_now(hv))
                return true;
    }
    return false;
}

/* Has this deadline come? Then it is disarmed. */
static bool expire(uint64_t *deadline, uint64_t now)
{
    if (*deadline == 0 || *deadline > now)
        return false;
    *deadline = 0;
    return true;
}

static bool tick(struct hv *hv, struct vcpu *v, uint64_t now)
{
    if (!ticks(hv, v) || v->periodic_next > now)
        return false;
    v->periodic_next = now + v->periodic_period;
    hv_send_virq(hv, v, VIRQ_TIMER);
    return true;
}

void timer_switched_to(struct hv *hv, struct vcpu *v) { (void)tick(hv, v, hv_now(hv)); }

static uint32_t fire_vcpu(struct hv *hv, struct vcpu *v, uint64_t now)
{
    uint32_t fired = 0;

    if (expire(&v->singleshot_deadline, now)) {
        hv_send_virq(hv, v, VIRQ_TIMER);
        fired++;
    }
    if (tick(hv, v, now))
        fired++;
    if (expire(&v->poll_deadline, now)) {
        hv_vcpu_kick(hv, v);
        fired++;
    }
    return fired;
}

uint32_t hv_fire_due(struct hv *hv)
{
    uint64_t now = hv_now(hv);
    uint32_t fired = 0;

    for (uint32_t slot = 0; slot < hv->s->domain_slots; slot++) {
        struct domain *d = &hv->s->domains[slot];

        if (!alive(d))
            continue;
        const struct arch *arch = hv_arch(d);
        for (uint32_t id = 0, seen = 0; seen < d->vcpu_count && id < HV_DOMAIN_VCPUS; id++) {
            struct vcpu *v = hv_vcpu(hv, d, id);

            if (v == NULL)
                continue;
            seen++;
            fired += fire_vcpu(hv, v, now);
            if (arch->expire)
                arch->expire(hv, v, now);
        }
        for (uint32_t i = 0; i < WATCHDOGS; i++)
            if (expire(&d->watchdog_deadline[i], now) && !d->shut_down) {
                d->shut_down = 1;
                d->shutdown_code = SHUTDOWN_watchdog;
                fired++;
            }
    }
    return fired;
}
