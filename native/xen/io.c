/* io.c - accesses to devices that Python answers.
 *
 * Such an access leaves hv_run() with an exit record; the instruction is executed again from its beginning with the answers so
 * far (struct io_queue), until it gets through. The queue belongs to one instruction, known by the count at which it is next:
 * nothing else can retire in between, as interrupts wait (io_under_way()), and an exception of the instruction forgets
 * the queue.
 */
#include "arch.h"
#include "io.h"

static struct io_queue *queue(struct hv *hv, const struct vcpu *v) { return hv_arch_of(hv, v)->io(hv, v); }

/* Instructions of the vcpu up to now. */
static uint64_t count_of(struct hv *hv, const struct vcpu *v)
{
    return v->retired + (hv->current == v ? (uint64_t)cpu_retired(hv_cpu_of(hv, v)) : 0);
}

bool io_under_way(struct hv *hv, const struct vcpu *v) { return queue(hv, v)->at == count_of(hv, v) + 1; }

void io_forget(struct hv *hv, const struct vcpu *v) { queue(hv, v)->at = 0; }

struct io_queue *io_begin(struct hv *hv, struct vcpu *v)
{
    struct io_queue *q = queue(hv, v);
    uint64_t here = count_of(hv, v) + 1;
    if (q->at != here) {
        q->at = here;
        q->answered = q->met = 0;
    }
    return q;
}

bool io_answered_before(struct hv *hv, const struct vcpu *v)
{
    const struct io_queue *q = queue(hv, v);
    return q->met < q->answered && io_under_way(hv, v);
}

bool io_replay(struct io_queue *q, struct io_access *a)
{
    if (q->met < q->answered) {
        a->value = q->value[q->met++];
        return true;
    }
    if (q->answered < IO_QUEUE)
        return false;
    a->value = UINT64_MAX;        /* no instruction makes so many */
    return true;
}

void io_note(struct io_queue *q, uint64_t value)
{
    if (q->answered < IO_QUEUE)
        q->value[q->answered++] = value;
    q->met = q->answered;
}

enum io_answer io_leave(struct hv *hv, struct vcpu *v, const struct io_access *a)
{
    struct cpu_exit *e = cpu_exit_record(hv_cpu_of(hv, v));
    queue(hv, v)->met = 0;
    memset(e, 0, sizeof *e);
    e->reason = a->port ? EXIT_IO : EXIT_MMIO;
    e->address = a->address;
    e->error = a->size;
    e->flags = a->write;
    e->aux = a->value;
    return IO_LEAVE;
}

/* Of an earlier instruction's queue nothing changes: this one may be alone already, as blocks fall. */
enum io_answer io_alone(struct hv *hv, struct vcpu *v)
{
    if (io_under_way(hv, v))
        queue(hv, v)->met = 0;
    return IO_ALONE;
}

/* The processor waits for the bus meanwhile. So a guest that polls a register does so as often as it would on a real machine,
 * not several hundred times as often. */
void hv_io_answer(struct hv *hv, struct vcpu *v, uint64_t value, uint64_t took_ns)
{
    struct io_queue *q = queue(hv, v);
    hv->s->idle_ns += took_ns;
    if (q->answered < IO_QUEUE)
        q->value[q->answered++] = value;
}
