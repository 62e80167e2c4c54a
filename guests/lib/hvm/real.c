/* real.c (HVM) - code in real mode. Below 32 KiB: the interrupt table, the start, the result, and a stub a vector. */
#include <guest.h>
#include <real.h>

enum { VECTORS = 256, STUB = 6, START = 0x5000, STUBS = 0x7000, COMMON = 0x7800, WAIT_NS = 10000000 };
extern const char real_start[], real_start_end[], real_common[], real_common_end[];

/* Address 0 is one like any other. */
static void *low(unsigned long address)
{
    __asm__("" : "+r"(address));
    return (void *)address;
}

static void stubs(void)
{
    uint16_t *table = low(0);

    for (unsigned vector = 0; vector < VECTORS; vector++) {
        uint8_t *stub = low(STUBS + vector * STUB);
        uint16_t distance = (uint16_t)(COMMON - (STUBS + vector * STUB + STUB));

        stub[0] = 0x68;                         /* push, jmp */
        stub[1] = (uint8_t)vector;
        stub[2] = 0;
        stub[3] = 0xe9;
        memcpy(stub + 4, &distance, 2);
        table[2 * vector] = (uint16_t)(STUBS + vector * STUB);
        table[2 * vector + 1] = 0;
    }
    memcpy(low(COMMON), real_common, (size_t)(real_common_end - real_common));
    memcpy(low(START), real_start, (size_t)(real_start_end - real_start));
}

const struct real_result *real_run(const uint8_t *code, size_t length)
{
    struct real_result *result = low(REAL_RESULT);

    stubs();
    memset(result, 0, sizeof(*result));
    memcpy(low(REAL_SEGMENT << 4), code, length);
    apic_send(2, ICR_INIT);
    apic_send(2, ICR_START_UP | START >> PAGE_SHIFT);
    for (uint64_t end = clock_ns() + WAIT_NS; !READ_ONCE(result->done) && clock_ns() < end;)
        __asm__ volatile("pause");
    if (!result->done)
        broken("the code in real mode does not end");
    return result;
}
