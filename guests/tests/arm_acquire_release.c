/* @title  acquire and release
 * @fact   who loads with acquire what another vcpu stored with release sees all that was stored before it, in both directions, of
 *         every size; a store exclusive fails after another vcpu's store to its address
 * @source Arm DDI 0487, "Load-Acquire, Load-AcquirePC, and Store-Release", "Exclusive access instructions and Shareable memory"
 * @env    arm64
 * @vcpus  2
 */
#include <guest.h>

enum { ROUNDS = 30 };
static struct { uint64_t data[4], flag, answer; } shared __attribute__((aligned(64)));
static uint64_t word __attribute__((aligned(64)));
static volatile unsigned torn;

#define LOAD_ACQUIRE(size, reg, at) ({ \
    uint64_t la_v; \
    __asm__ volatile("ldar" size " %" reg "0, [%1]" : "=r"(la_v) : "r"(at) : "memory"); \
    la_v; })
#define STORE_RELEASE(size, reg, at, value) \
    __asm__ volatile("stlr" size " %" reg "0, [%1]" : : "r"((uint64_t)(value)), "r"(at) : "memory")

static uint64_t acquire(const void *at, unsigned form)
{
    switch (form) {
    case 0: return LOAD_ACQUIRE("b", "w", at);
    case 1: return LOAD_ACQUIRE("h", "w", at);
    case 2: return LOAD_ACQUIRE("", "w", at);
    default: return LOAD_ACQUIRE("", "x", at);
    }
}

static void release(void *at, uint64_t value, unsigned form)
{
    switch (form) {
    case 0: STORE_RELEASE("b", "w", at, value); break;
    case 1: STORE_RELEASE("h", "w", at, value); break;
    case 2: STORE_RELEASE("", "w", at, value); break;
    default: STORE_RELEASE("", "x", at, value); break;
    }
}

static void await(const void *at, uint64_t value, unsigned form)
{
    for (unsigned i = 0; acquire(at, form) != value && i < 10000; i++)
        hcall(sched_op, SCHEDOP_yield, 0);
}

static void other(void *unused)
{
    (void)unused;
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        await(&shared.flag, n, n & 3);
        for (unsigned i = 0; i < 4; i++)
            torn += shared.data[i] != n << (8 * i);
        for (unsigned i = 0; i < 4; i++)
            shared.data[i] = ~n;
        word = n;
        release(&shared.answer, n, n & 3);
    }
}

void test_main(void)
{
    uint64_t v;
    uint32_t failed;

    require_eq(vcpu_start(1, other, NULL), 0);
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        for (unsigned i = 0; i < 4; i++)
            shared.data[i] = n << (8 * i);
        /* Between load and store exclusive comes the other one's store, and no call of ours: that might clear the monitor. */
        __asm__ volatile("stlr %3, [%4]\n\tldxr %0, [%2]\n"
                         "1:\tyield\n\tldar x9, [%5]\n\tcmp x9, %3\n\tb.ne 1b\n\tstxr %w1, %0, [%2]"
                         : "=&r"(v), "=&r"(failed)
                         : "r"(&word), "r"(n), "r"(&shared.flag), "r"(&shared.answer) : "x9", "cc", "memory");
        check_eq(failed, 1);
        check_eq(v, n - 1);
        check_eq(word, n);
        await(&shared.answer, n, n & 3);
        for (unsigned i = 0; i < 4; i++)
            check_eq(shared.data[i], ~n);
    }
    check_eq(torn, 0);
}
