/* io_state.h - accesses to devices of the instruction that a vcpu is about to execute (again), as far as Python has answered
 * them. Plain data in the arena.
 */
#ifndef XENLAB_IO_STATE_H
#define XENLAB_IO_STATE_H
#ifndef XENLAB_CFFI
#include <stdint.h>
#endif

enum {
    IO_QUEUE = 80,                /* accesses of one instruction that Python answers: FXSAVE makes 64 */
    IO_BLOCK_BYTES = 65536        /* of data that is handed through a port as a whole */
};
struct io_queue {
    uint64_t at;                  /* 1 + the count at which that instruction is next; 0: none */
    uint32_t answered, met;       /* how many answers there are; how many this execution has come to */
    uint64_t value[80];           /* IO_QUEUE */
};

#endif
