/* fifo.c - the FIFO event-channel ABI (EVTCHNOP_init_control): one event word a port, sixteen queues a vcpu.
 *
 * A queue is a list linked through the event words, from the head in the vcpu's control block to a tail that only
 * the hypervisor knows. The guest takes events from the head and clears LINKED; the hypervisor appends at the tail:
 *
 *   - a word is on some queue when LINKED is set, and is appended only when it was not and MASKED is clear;
 *   - the tail gets the new port in its LINK field if it is still LINKED; if the guest has already taken it, the
 *     queue was empty and the head is written instead;
 *   - a channel whose priority or vcpu changed stays on its old queue until taken; if it was that queue's tail, the
 *     tail is forgotten, so that nothing is appended to a word that has moved.
 *
 * The guest owns the pages and may write nonsense: LINK fields are never followed here, only written, and every
 * port that the hypervisor does follow (the tails) is its own. All of the guest's vcpus stand still meanwhile, so
 * what is a compare-and-swap loop in Xen is a plain update here; BUSY is therefore never left set.
 */
#include "evtchn.h"
#include "../abi/event_channel.h"

enum { WORDS_PER_PAGE = ENGINE_PAGE_SIZE / sizeof(uint32_t) };
#define WORD_PENDING (1u << EVTCHN_FIFO_PENDING)
#define WORD_MASKED (1u << EVTCHN_FIFO_MASKED)
#define WORD_LINKED (1u << EVTCHN_FIFO_LINKED)
#define WORD_BUSY (1u << EVTCHN_FIFO_BUSY)

/* The event word of a port, NULL while the guest has not added its page of the array. */
static uint32_t *event_word(struct hv *hv, const struct domain *d, uint32_t port)
{
    uint32_t page = port / WORDS_PER_PAGE;

    if (page >= d->fifo_pages || page >= HV_FIFO_PAGES)
        return NULL;
    return evtchn_shared(hv, d->fifo_page[page], port % WORDS_PER_PAGE * (uint32_t)sizeof(uint32_t));
}

/* The same for reading; `absent` when there is no such page yet. */
static uint32_t read_word(struct hv *hv, const struct domain *d, uint32_t port, uint32_t absent)
{
    uint32_t page = port / WORDS_PER_PAGE, word = absent;

    if (page < d->fifo_pages && page < HV_FIFO_PAGES)
        (void)machine_read(hv->m, (d->fifo_page[page] << ENGINE_PAGE_SHIFT) + port % WORDS_PER_PAGE * sizeof(word),
                           &word, sizeof(word));
    return word;
}

/* Append `port` behind `tail`. false: the tail has left its queue, which was therefore empty. */
static bool link_behind(struct hv *hv, const struct domain *d, uint32_t tail, uint32_t port)
{
    uint32_t *word = tail == 0 ? NULL : event_word(hv, d, tail);

    if (word == NULL || !(*word & WORD_LINKED))
        return false;
    *word = (*word & ~(WORD_BUSY | (uint32_t)EVTCHN_FIFO_LINK_MASK)) | port;
    return true;
}

/* Put an unmasked pending event on its queue; raise the upcall when the queue was empty. */
static void enqueue(struct hv *hv, struct domain *d, struct evtchn *e, struct vcpu *v, uint32_t port)
{
    struct evtchn_fifo_control_block *control;
    struct vcpu *old = hv_vcpu(hv, d, e->last_vcpu);
    uint32_t priority = e->priority & (HV_FIFO_PRIORITIES - 1);

    if (old != NULL && old->fifo_tail[e->last_priority] == port)
        old->fifo_tail[e->last_priority] = 0;
    e->last_vcpu = v->id;
    e->last_priority = (uint8_t)priority;

    control = evtchn_shared(hv, v->fifo_control_frame, v->fifo_control_offset);
    if (control == NULL)
        return;
    if (!link_behind(hv, d, v->fifo_tail[priority], port)) {
        control->head[priority] = port;
        if (!(control->ready & (1u << priority))) {
            control->ready |= 1u << priority;
            hv_mark_events_pending(hv, v);
        }
    }
    v->fifo_tail[priority] = port;
}

void fifo_set_pending(struct hv *hv, struct domain *d, uint32_t port)
{
    struct evtchn *e = hv_evtchn(hv, d, port);
    uint32_t *word = event_word(hv, d, port), was;
    struct vcpu *v = evtchn_target(hv, d, e);

    if (word == NULL) {          /* remembered until EVTCHNOP_expand_array brings the page */
        e->pending = 1;
        return;
    }
    was = *word;
    *word = was | WORD_PENDING;
    /* Without a control block the guest must not have unmasked anything: nowhere to queue it. */
    if (v != NULL && v->fifo_control_frame != 0 && !(was & (WORD_MASKED | WORD_LINKED))) {
        *word |= WORD_LINKED;
        enqueue(hv, d, e, v, port);
    }
    if (!(was & WORD_PENDING))
        evtchn_check_pollers(hv, d, port);
}

void fifo_clear_pending(struct hv *hv, struct domain *d, uint32_t port)
{
    uint32_t *word = event_word(hv, d, port);

    if (word != NULL)            /* it stays linked: the guest takes it off and ignores it */
        *word &= ~WORD_PENDING;
}

void fifo_unmask(struct hv *hv, struct domain *d, uint32_t port)
{
    uint32_t *word = event_word(hv, d, port);

    if (word == NULL)
        return;
    *word &= ~WORD_MASKED;
    if (*word & WORD_PENDING)
        fifo_set_pending(hv, d, port);
}

bool fifo_is_pending(struct hv *hv, const struct domain *d, uint32_t port)
{
    return (read_word(hv, d, port, 0) & WORD_PENDING) != 0;
}

bool fifo_is_masked(struct hv *hv, const struct domain *d, uint32_t port)
{
    return (read_word(hv, d, port, WORD_MASKED) & WORD_MASKED) != 0;
}

bool fifo_is_busy(struct hv *hv, const struct domain *d, uint32_t port)
{
    return (read_word(hv, d, port, 0) & WORD_LINKED) != 0;
}
