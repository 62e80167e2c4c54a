/* hostile.h - numbers that a careless hypervisor trips over, from a seed. */
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

#endif
