/* @title  exclusive accesses in AArch32
 * @fact   STREX stores after LDREX of its address, once, and not after CLREX or at another address; bytes, halfwords and
 *         doublewords too
 * @source Arm DDI 0406C, A3.4
 * @env    arm32
 */
#include <guest.h>

static uint32_t word[2] __attribute__((aligned(64))), elsewhere __attribute__((aligned(64)));

#define TRY(between, target) ({ \
    uint32_t try_v, try_s; \
    __asm__ volatile("ldrex %0, [%2]\n\tadd %0, %0, #1\n\t" between "\n\tstrex %1, %0, [%3]" \
                     : "=&r"(try_v), "=&r"(try_s) : "r"(&word[0]), "r"(target) : "memory"); \
    try_s; })

void test_main(void)
{
    uint32_t status, loaded;
    uint64_t pair = 0;

    check_eq(TRY("nop", &word[0]), 0);
    check_eq(word[0], 1);
    check_eq(TRY("clrex", &word[0]), 1);
    check_eq(word[0], 1);
    check_eq(TRY("nop", &elsewhere), 1);
    check_eq(elsewhere, 0);
    __asm__ volatile("strex %0, %1, [%2]" : "=&r"(status) : "r"(5), "r"(&word[0]) : "memory");
    check_eq(status, 1);                                /* nothing was loaded */
    check_eq(TRY("nop", &word[0]), 0);
    check_eq(word[0], 2);

    __asm__ volatile("ldrexd %0, %H0, [%2]\n\tadd %H0, %H0, #7\n\tstrexd %1, %0, %H0, [%2]"
                     : "+&r"(pair), "=&r"(status) : "r"(word) : "memory");
    check_eq(status, 0);
    check_eq(word[0], 2);
    check_eq(word[1], 7);
    __asm__ volatile("ldrexb %0, [%2]\n\tmov %0, #0x33\n\tstrexb %1, %0, [%2]"
                     : "=&r"(loaded), "=&r"(status) : "r"(word) : "memory");
    check_eq(status, 0);
    check_eq(word[0], 0x33);
    __asm__ volatile("ldrexh %0, [%2]\n\tmovw %0, #0x4455\n\tstrexh %1, %0, [%2]"
                     : "=&r"(loaded), "=&r"(status) : "r"(&word[1]) : "memory");
    check_eq(status, 0);
    check_eq(word[1], 0x4455);
}
