/* hostile.h - numbers and pointers that a careless hypervisor trips over, from a seed. */
#ifndef GUEST_HOSTILE_H
#define GUEST_HOSTILE_H
#include "guest.h"
#include "random.h"

/* A number at an edge, or one of any size. */
static inline uint64_t hostile_number(struct random *rng)
{
    static const uint64_t edges[] = { 0, 1, 2, 3, 7, 8, 63, 64, 127, 128, 4095, 4096, 0x7fff, 0x7ff0, 0xffff, 0x10000,
                                      0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
                                      0x8000000000000000, ~0ULL, ~0ULL - 1 };

    if (random_below(rng, 4) == 0)
        return random_next(rng) >> random_below(rng, 64);
    return edges[random_below(rng, ARRAY_SIZE(edges))];
}

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
