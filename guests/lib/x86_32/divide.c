/* divide.c - 64-bit division under the names that the compiler calls. */
#include <divide.h>

uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);

uint64_t __udivdi3(uint64_t a, uint64_t b)
{
    uint64_t rest;

    return divide_u64(a, b, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b)
{
    uint64_t rest;

    divide_u64(a, b, &rest);
    return rest;
}
