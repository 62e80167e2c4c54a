/* schedule.c - whose turn is next, as far as that is decided here: round robin. Other schedulers are hv/sched's.
 *
 * What a scheduler remembers is in the state: struct vcpu has a field for it, of which round robin uses that of slot 0, and
 * hv_state has the generator's word.
 */
#include "hv.h"

/* The length of a new turn in instructions: the quantum, or with a seed half to one and a half of it. xorshift64*, a generator of full
 * period in one word. */
static uint64_t turn_length(struct hv *hv)
{
    const uint64_t quantum = hv->turns.quantum;
    if (hv->turns.seed == 0)
        return quantum;
    uint64_t x = hv->s->rng ? hv->s->rng : hv->turns.seed;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    hv->s->rng = x;
    return quantum / 2 + (x * UINT64_C(0x2545f4914f6cdd1d) >> 32) % quantum + 1;
}

int hv_set_turns(struct hv *hv, uint64_t quantum, uint64_t seed, bool round_robin)
{
    if (quantum == 0)
        return -EINVAL;
    hv->turns = (struct turns){.quantum = quantum, .seed = seed, .round_robin = round_robin};
    return 0;
}

uint32_t hv_round_robin(struct hv *hv)
{
    uint16_t slots[HV_MAX_VCPUS];
    const uint32_t count = hv_runnable(hv, slots, HV_MAX_VCPUS);
    uint64_t *next = &hv->s->vcpus[0].sched_order;       /* remembered while the processor idles too */
    if (count == 0)
        return HV_NO_SLOT;
    uint32_t chosen = slots[0];
    for (uint32_t i = 0; i < count; i++)
        if (slots[i] >= *next) {
            chosen = slots[i];
            break;
        }
    *next = (chosen + 1) % HV_MAX_VCPUS;
    return chosen;
}

void hv_begin_turn(struct hv *hv, uint32_t slot)
{
    hv->s->quantum_end = hv->s->retired + turn_length(hv);
    hv_switch(hv, slot);
}

/* A domain that has ended may have to begin anew, which is Python's to see to. */
static bool somebody_has_ended(const struct hv *hv)
{
    for (uint32_t i = 0; i < hv->s->domain_slots; i++)
        if (hv->s->domains[i].used && hv->s->domains[i].shut_down)
            return true;
    return false;
}

uint32_t hv_next_turn(struct hv *hv)
{
    if (!hv->turns.round_robin || somebody_has_ended(hv))
        return HV_NO_SLOT;
    const uint32_t slot = hv_round_robin(hv);
    if (slot != HV_NO_SLOT)
        hv_begin_turn(hv, slot);
    return slot;
}
