/* io.h - accesses to devices, for the C files: the queue of what Python has answered. */
#ifndef XENLAB_IO_H
#define XENLAB_IO_H
#include "hv.h"

/* Is an instruction under way that must go on before anything else? */
bool io_under_way(struct hv *hv, const struct vcpu *v);
/* The instruction is no longer about to go on: what was answered belongs to nothing. */
void io_forget(struct hv *hv, const struct vcpu *v);
/* The answers to what the present instruction accesses, empty when it begins. */
struct io_queue *io_begin(struct hv *hv, struct vcpu *v);
/* Is the next access of this instruction one that was answered before, and is only made again? */
bool io_answered_before(struct hv *hv, const struct vcpu *v);
/* Answer the access by what was said before, or, if the instruction makes too many, by ones. false: it is a new one. */
bool io_replay(struct io_queue *q, struct io_access *a);
/* C has answered what must not be asked again, should the instruction leave for another access. */
void io_note(struct io_queue *q, uint64_t value);
/* Ask Python: IO_LEAVE, with the exit record filled in. */
enum io_answer io_leave(struct hv *hv, struct vcpu *v, const struct io_access *a);
/* IO_ALONE: the instruction is to be executed again with nothing behind it in its block. */
enum io_answer io_alone(struct hv *hv, struct vcpu *v);

#endif
