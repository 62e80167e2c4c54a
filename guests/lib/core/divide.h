/* divide.h - 64-bit division for processors of 32 bits, whose compilers leave it to a library. */
#ifndef GUEST_DIVIDE_H
#define GUEST_DIVIDE_H
#include <stdint.h>

static inline uint64_t divide_u64(uint64_t a, uint64_t b, uint64_t *rest)
{
    uint64_t quotient = 0, left = 0;

    for (int bit = 63; bit >= 0; bit--) {
        left = left << 1 | (a >> bit & 1);
        if (left >= b) {
            left -= b;
            quotient |= (uint64_t)1 << bit;
        }
    }
    *rest = left;
    return quotient;
}

#endif
