/* hostile_pv.h - pointers that a careless hypervisor trips over, from a seed. */
#ifndef GUEST_HOSTILE_PV_H
#define GUEST_HOSTILE_PV_H
#include "hostile.h"

/* An address where nothing of the guest's own is, or that is not writable. */
static inline uint64_t hostile_pointer(struct random *rng)
{
    switch (random_below(rng, 8)) {
    case 0: return 0;
    case 1: return 0x1000 + random_below(rng, 4096);
    case 2: return 0x0000800000000000 + random_below(rng, 1 << 20);
    case 3: return HYPERVISOR_VIRT_START + random_below(rng, 1 << 20);
    case 4: return HYPERVISOR_VIRT_END - random_below(rng, 64);
    case 5: return ~random_below(rng, 64);
    case 6: return guest_start_info()->pt_base + random_below(rng, 4096);     /* read-only */
    default: return 0x0000300000000000 + (random_next(rng) >> 32);
    }
}

#endif
