/* evtchn.h - what the event-channel files share. */
#ifndef XENLAB_EVTCHN_H
#define XENLAB_EVTCHN_H
#include <stddef.h>
#include "hv.h"

enum { EVTCHN_BUCKET = 64 };         /* channels come into being this many at a time, as in Xen */

/* A word of a page that the guest may write too, for reading and writing. Marks the frame dirty. NULL: no such frame. */
static inline void *evtchn_shared(struct hv *hv, uint64_t frame, uint32_t offset)
{
    uint8_t *page = machine_frame(hv->m, frame);

    if (page == NULL)
        return NULL;
    machine_write_begin(hv->m, frame);
    return page + offset;
}

/* Wake the vcpus that poll for this port, or for any of a set. */
void evtchn_check_pollers(struct hv *hv, struct domain *d, uint32_t port);
/* The vcpu that a channel notifies. */
struct vcpu *evtchn_target(struct hv *hv, struct domain *d, const struct evtchn *e);

/* ---- fifo.c: the port operations of the FIFO ABI ---- */
void fifo_set_pending(struct hv *hv, struct domain *d, uint32_t port);
void fifo_clear_pending(struct hv *hv, struct domain *d, uint32_t port);
void fifo_unmask(struct hv *hv, struct domain *d, uint32_t port);
bool fifo_is_pending(struct hv *hv, const struct domain *d, uint32_t port);
bool fifo_is_masked(struct hv *hv, const struct domain *d, uint32_t port);
bool fifo_is_busy(struct hv *hv, const struct domain *d, uint32_t port);

/* ---- timer.c ---- */
/* The vcpu goes on the processor: a periodic tick that fell due while it was away comes now. */
void timer_switched_to(struct hv *hv, struct vcpu *v);

#endif
