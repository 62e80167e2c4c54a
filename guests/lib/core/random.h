/* random.h - numbers from a seed: the same on every run. */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H
#include <stdint.h>

struct random {
    uint64_t state;
};

/* splitmix64: one addition and a mix of the bits. */
static inline uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* 0 .. limit - 1 */
static inline uint64_t random_below(struct random *r, uint64_t limit)
{
    return limit ? random_next(r) % limit : 0;
}

#endif
