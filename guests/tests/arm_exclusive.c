/* @title  exclusive accesses
 * @fact   a store exclusive succeeds after the load exclusive of its address, once, and not after CLREX, an exception return
 *         or at another address; pairs and acquiring forms too
 * @source Arm DDI 0487, B2.10
 * @env    arm64
 */
#include <guest.h>

static uint64_t word[2] __attribute__((aligned(64))), elsewhere __attribute__((aligned(64)));

#define TRY(between, target) ({ \
    uint64_t try_v; \
    uint32_t try_s; \
    __asm__ volatile("ldxr %0, [%2]\n\tadd %0, %0, #1\n\t" between "\n\tstxr %w1, %0, [%3]" \
                     : "=&r"(try_v), "=&r"(try_s) : "r"(&word[0]), "r"(target) : "memory", "x9"); \
    try_s; })

void test_main(void)
{
    uint32_t status;
    uint64_t a, b;

    check_eq(TRY("nop", &word[0]), 0);
    check_eq(word[0], 1);
    check_eq(TRY("clrex", &word[0]), 1);
    check_eq(word[0], 1);
    check_eq(TRY("nop", &elsewhere), 1);
    check_eq(elsewhere, 0);
    __asm__ volatile("stxr %w0, %1, [%2]" : "=&r"(status) : "r"(5UL), "r"(&word[0]) : "memory");
    check_eq(status, 1);                                /* nothing was loaded */
    /* An exception return clears the monitor. */
    check_eq(TRY("adr x9, 7f\n\tmsr elr_el1, x9\n\tmov x9, #0x3c5\n\tmsr spsr_el1, x9\n\teret\n7:", &word[0]), 1);
    check_eq(word[0], 1);
    check_eq(TRY("nop", &word[0]), 0);
    check_eq(word[0], 2);

    __asm__ volatile("ldaxp %0, %1, [%3]\n\tadd %1, %1, #7\n\tstlxp %w2, %0, %1, [%3]"
                     : "=&r"(a), "=&r"(b), "=&r"(status) : "r"(word) : "memory");
    check_eq(status, 0);
    check_eq(word[0], 2);
    check_eq(word[1], 7);
    __asm__ volatile("ldaxrb %w0, [%2]\n\tmov %w0, #0x33\n\tstlxrb %w1, %w0, [%2]"
                     : "=&r"(a), "=&r"(status) : "r"(word) : "memory");
    check_eq(status, 0);
    check_eq(word[0], 0x33);
}
