/* p2m_state.h - what a domain with frame numbers of its own has of its physmap beside the tables in machine memory. */
#ifndef XENLAB_P2M_STATE_H
#define XENLAB_P2M_STATE_H
#ifndef XENLAB_CFFI
#include <stdint.h>
#endif

/* Which machine frame stands at each frame number of a guest's own (p2m.c). */
struct p2m {
    uint64_t root;                /* frame of the top table; 0: none yet */
    uint64_t highest_gfn;         /* that was ever mapped */
};

#endif
