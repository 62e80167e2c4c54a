/* @title  granules
 * @fact   page tables of 4 KiB and of 64 KiB translate alike, with the levels, blocks and faults of each; 16 KiB there are not
 * @source Arm DDI 0487, D8.2, D17.2.64 (ID_AA64MMFR0_EL1); Arm 100072 (Cortex-A57)
 * @env    arm64
 */
#include <guest.h>

enum { BLOCK_64K_L2 = 512 << 20, PAGE_64K = 1 << 16 };
/* 42 bits with 64 KiB pages: 8192 entries of 512 MiB at level 2, as many of 64 KiB below each. */
static uint64_t level2[8192] __attribute__((aligned(65536)));
static uint64_t level3[8192] __attribute__((aligned(65536)));
static char target[PAGE_64K] __attribute__((aligned(65536)));

static void look(void *p) { (void)*(volatile char *)p; }
static void put(void *p) { *(volatile char *)p = 1; }

/* With the MMU off meanwhile: neither goes with the other's old value. */
static void use(uint64_t tcr, const void *root)
{
    uint64_t sctlr = sysreg_read(sctlr_el1);

    __asm__ volatile("dsb sy\n\tmsr sctlr_el1, %3\n\tisb\n\tmsr tcr_el1, %1\n\tmsr ttbr0_el1, %2\n\tisb\n\t"
                     "tlbi vmalle1is\n\tdsb sy\n\tisb\n\tmsr sctlr_el1, %0\n\tisb"
                     : : "r"(sctlr), "r"(tcr), "r"(root), "r"(sctlr & ~1ULL) : "memory");
}

void test_main(void)
{
    uint64_t mmfr = sysreg_read(s3_0_c0_c7_0), tcr = sysreg_read(tcr_el1);
    void *root = (void *)sysreg_read(ttbr0_el1);
    enum { T0SZ = 64 - 42, TG0_64K = 1 << 14 };
    struct fault *f;

    check_eq(mmfr >> 20 & 0xf, 0);                      /* 16 KiB: no */
    check_eq(mmfr >> 24 & 0xf, 0);                      /* 64 KiB: yes */
    check_eq(mmfr >> 28 & 0xf, 0);                      /* 4 KiB: yes */

    /* Everything at its own address again, in blocks of 512 MiB: devices, then memory; code is executable there. */
    level2[0] = PTE_BLOCK | PTE_DEVICE | PTE_AF | PTE_NEVER;
    for (uint64_t i = 2; i < 8; i++)
        level2[i] = i * BLOCK_64K_L2 | PTE_BLOCK | PTE_NORMAL | PTE_AF;
    /* One of them in pages, read-only at one place and missing at another. */
    level2[16] = (uintptr_t)level3 | PTE_TABLE;
    level3[5] = (uintptr_t)target | PTE_PAGE | PTE_NORMAL | PTE_AF;
    level3[6] = level3[5] | PTE_READONLY;
    level3[8] = level3[5] & ~(uint64_t)PTE_AF;
    char *window = (char *)(16ULL * BLOCK_64K_L2);

    use((tcr & ~(uint64_t)(0x3f | 3 << 14)) | T0SZ | TG0_64K, level2);
    window[5 * PAGE_64K + 0xfff0] = 'w';
    check_eq(READ_ONCE(target[0xfff0]), 'w');
    check_eq(READ_ONCE(window[6 * PAGE_64K + 0xfff0]), 'w');
    f = fault_arm();
    fault_probe(put, window + 6 * PAGE_64K + 0x8000);
    check_fault(f, EC_DABT, FSC_PERMISSION | 3);
    f = fault_arm();
    fault_probe(look, window + 7 * PAGE_64K);
    check_fault(f, EC_DABT, FSC_TRANSLATION | 3);
    f = fault_arm();
    fault_probe(look, window + 8 * PAGE_64K);
    check_fault(f, EC_DABT, FSC_ACCESS_FLAG | 3);
    f = fault_arm();
    fault_probe(look, (void *)(20ULL * BLOCK_64K_L2));
    check_fault(f, EC_DABT, FSC_TRANSLATION | 2);
    f = fault_arm();
    fault_probe(look, (void *)(1ULL << 42));            /* behind all addresses */
    check_fault(f, EC_DABT, FSC_TRANSLATION);
    use(tcr, root);

    /* 4 KiB with 48 bits: one more level above. */
    static uint64_t level0[512] __attribute__((aligned(4096)));

    level0[0] = (uintptr_t)root | PTE_TABLE;
    use((tcr & ~(uint64_t)0x3f) | (64 - 48), level0);
    f = fault_arm();
    check_eq(READ_ONCE(target[0xfff0]), 'w');
    check_no_fault(f);
    fault_probe(look, (void *)(1ULL << 40));
    check_fault(f, EC_DABT, FSC_TRANSLATION | 0);
    use(tcr, root);

    /* 4 KiB with 25 bits would begin at level 3; with 32 it begins at level 1 as with 39. */
    use((tcr & ~(uint64_t)0x3f) | (64 - 32), root);
    f = fault_arm();
    check_eq(READ_ONCE(target[0xfff0]), 'w');
    check_no_fault(f);
    fault_probe(look, (void *)(1ULL << 32));
    check_fault(f, EC_DABT, FSC_TRANSLATION);
    use(tcr, root);
}
