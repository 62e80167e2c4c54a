/* shared_info.c - what a guest's shared pages say beside events, laid out by the width of the guest: the date, run states.
 *
 * The run states of a 32-bit guest are laid out here; a 32-bit guest test compares them with those of native/abi.
 * Facts: update_domain_wallclock_time() in xen/common/time.c, update_runstate_area() in xen/arch/x86/domain.c of Xen 4.17.
 */
#include "arch.h"
#include "evtchn.h"
#include "../abi/xen.h"
#include "../abi/vcpu.h"

_Static_assert(sizeof(struct vcpu_runstate_info) == RUNSTATE_BYTES, "hv.h says how large it is");
#define NS_PER_SECOND UINT64_C(1000000000)

void hv_update_wallclock(struct hv *hv, struct domain *d)
{
    const struct shared_layout *at = hv_arch(d)->shared[d->narrow];
    uint64_t seconds = hv->s->wallclock_ns / NS_PER_SECOND + d->time_offset_seconds;
    uint32_t version, words[3] = {(uint32_t)seconds, (uint32_t)(hv->s->wallclock_ns % NS_PER_SECOND), (uint32_t)(seconds >> 32)};
    uint8_t *page = evtchn_shared(hv, d->shared_info_frame, 0);
    if (!page)
        return;
    memcpy(&version, page + at->date_version, sizeof version);
    version = (version & ~1u) + 2;
    memcpy(page + at->date_seconds, &words[0], sizeof words[0]);
    memcpy(page + at->date_ns, &words[1], sizeof words[1]);
    memcpy(page + at->date_high, &words[2], sizeof words[2]);
    memcpy(page + at->date_version, &version, sizeof version);
}

uint32_t hv_runstate_image(const struct domain *d, const struct vcpu *v, uint8_t out[RUNSTATE_BYTES])
{
    struct vcpu_runstate_info info = {.state = v->runstate, .state_entry_time = v->runstate_since};
    memcpy(info.time, v->runstate_time, sizeof info.time);
    memcpy(out, &info, sizeof info);
    if (!d->narrow)
        return sizeof info;
    /* 64-bit numbers of a 32-bit guest need no more than 4 bytes of alignment. */
    enum { GAP = offsetof(struct vcpu_runstate_info, state_entry_time) - sizeof(uint32_t) };
    memmove(out + sizeof(uint32_t), out + sizeof(uint32_t) + GAP, sizeof info - sizeof(uint32_t) - GAP);
    return sizeof info - GAP;
}
