/* @title  big-endian data
 * @fact   SCTLR_EL1.E0E and EE, in AArch32 SETEND and CPSR.E, turn the bytes of loads and stores, not of instructions; page tables are
 *         read as EE says
 * @source Arm DDI 0487, "Endian support", SCTLR_EL1; DDI 0406C, A3.3, B1.3.3
 * @env    arm64 arm32
 */
#include <guest.h>

static volatile uint32_t word = 0x11223344;

#ifdef __aarch64__
enum { E0E = 1 << 24, EE = 1 << 25 };

static unsigned long user(unsigned long x)
{
    volatile uint32_t *p = (volatile uint32_t *)x;
    unsigned long seen = *p;

    *p = 0xaabbccdd;
    return seen;
}

void test_main(void)
{
    uint64_t control = sysreg_read(sctlr_el1), half, pair[2], value, *entry;

    sysreg_write(sctlr_el1, control | E0E);
    arch_isb();
    check_eq(user_call(user, (unsigned long)&word), 0x44332211);
    sysreg_write(sctlr_el1, control);
    arch_isb();
    check_eq(word, 0xddccbbaa);
    check_eq(user_call(user, (unsigned long)&word), 0xddccbbaa);
    check_eq(word, 0xaabbccdd);

    /* The kernel's data, and with it the page tables: those of one more page, turned, and the rest of them as they were cannot be
     * had at once, so that no other page may be looked up meanwhile: the MMU is off. */
    irq_disable();
    static uint64_t data[2] __attribute__((aligned(16))) = { 0x0102030405060708, 0x1112131415161718 };

    __asm__ volatile("msr sctlr_el1, %4\n\tisb\n\tldr %w0, [%3]\n\tldp %1, %2, [%5]\n\tmsr sctlr_el1, %6\n\tisb"
                     : "=&r"(half), "=&r"(pair[0]), "=&r"(pair[1])
                     : "r"(&word), "r"((control | EE) & ~(uint64_t)1), "r"(data), "r"(control) : "memory");
    check_eq(half, 0xddccbbaa);
    check_eq(pair[0], 0x0807060504030201);
    check_eq(pair[1], 0x1817161514131211);

    /* A walk with EE reads its entries turned: a table of its own for the lowest address bits, all that code needs included. */
    enum { GIB = 1 << 30 };
    static uint64_t turned[512] __attribute__((aligned(4096)));
    uint64_t block = PTE_BLOCK | PTE_NORMAL | PTE_AF;

    for (unsigned i = 0; i < 4; i++)
        turned[i] = __builtin_bswap64(block | (uint64_t)i * GIB);
    uint64_t tables = sysreg_read(ttbr0_el1);

    entry = turned;
    __asm__ volatile("msr sctlr_el1, %2\n\tisb\n\tmsr ttbr0_el1, %3\n\tisb\n\tmsr sctlr_el1, %4\n\tisb\n\tldr %w0, [%1]\n\t"
                     "msr sctlr_el1, %2\n\tisb\n\tmsr ttbr0_el1, %5\n\tisb\n\tmsr sctlr_el1, %6\n\tisb"
                     : "=&r"(value)
                     : "r"(&word), "r"(control & ~(uint64_t)1), "r"(entry), "r"(control | EE), "r"(tables), "r"(control)
                     : "memory");
    arch_tlb_flush_all();
    irq_enable();
    check_eq(value, 0xddccbbaa);
}
#else
static unsigned long user(unsigned long x)
{
    unsigned long seen;

    __asm__ volatile("setend be\n\tldr %0, [%1]\n\tstr %2, [%1]\n\tsetend le" : "=&r"(seen) : "r"(x), "r"(0xaabbccdd) : "memory");
    return seen;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    uint32_t seen, flags;

    check_eq(user_call(user, (unsigned long)&word), 0x44332211);
    check_eq(word, 0xddccbbaa);
    __asm__ volatile("setend be\n\tldr %0, [%2]\n\tmrs %1, cpsr\n\tsetend le" : "=&r"(seen), "=&r"(flags) : "r"(&word) : "memory");
    check_eq(seen, 0xaabbccdd);
    check(flags & 1 << 9);
    /* An exception is taken with SCTLR.EE: its handler reads as it always does, and the code goes on as it was. */
    __asm__ volatile("setend be\n\t" FAULTING("udf #0") "ldr %0, [%1]\n\tsetend le" : "=&r"(seen) : "r"(&word) : "memory");
    check_fault_iss(f, EC_UNKNOWN, 0);
    check_eq(seen, 0xaabbccdd);
}
#endif
