/* @title  two halves, and address spaces
 * @fact   TTBR1 translates the upper half, with its own size; entries that are not global count for one ASID only; tops of
 *         addresses are ignored where TCR says so
 * @source Arm DDI 0487, D8.2, D8.13.4, D17.2.131 (TCR_EL1)
 * @env    arm64
 */
#include <guest.h>

enum { ENTRIES = 512 };
static uint64_t high_l1[ENTRIES] __attribute__((aligned(4096)));
extern uint64_t page_l1[];

static void look(void *p) { (void)*(volatile char *)p; }

static void control(uint64_t tcr)
{
    sysreg_write(tcr_el1, tcr);
    arch_isb();
    arch_tlb_flush_all();
}

static void high_half(uint64_t tcr)
{
    /* 39 bits: entry 1 of the first level is at 1 GiB, where RAM is. */
    const char *low = page_alloc();
    volatile char *high = (volatile char *)(0xffffff8000000000 + (uintptr_t)low);
    struct fault *f = fault_arm();

    high_l1[1] = page_l1[1];
    sysreg_write(ttbr1_el1, high_l1);
    control((tcr & ~(1ULL << 23)) | 25ULL << 16 | 0x35ULL << 24 | 2ULL << 30);
    *high = 'h';
    check_eq(*low, 'h');
    check_no_fault(f);
    fault_probe(look, (void *)0xffffff8000000000);
    check_fault(f, EC_DABT, FSC_TRANSLATION | 1);
    f = fault_arm();
    fault_probe(look, (void *)0xffffff0000000000);      /* between the halves */
    check_fault(f, EC_DABT, FSC_TRANSLATION);
    f = fault_arm();
    control(tcr);                                       /* EPD1: no walk */
    fault_probe(look, (void *)high);
    check_fault(f, EC_DABT, FSC_TRANSLATION);
}

static void spaces(void)
{
    char *window = page_alloc(), *pages[2] = { page_alloc(), page_alloc() };
    uint64_t root = sysreg_read(ttbr0_el1);

    pages[0][0] = 'a';
    pages[1][0] = 'b';
    for (unsigned n = 0; n < 6; n++) {
        sysreg_write(ttbr0_el1, root | (uint64_t)(1 + (n & 1)) << 48);
        arch_isb();
        *(volatile uint64_t *)pt_entry(window, 3) = PTE_DATA | PTE_NG | (uintptr_t)pages[n & 1];
        arch_barrier();
        __asm__ volatile("tlbi aside1is, %0\n\tdsb ish\n\tisb" : : "r"((uint64_t)(1 + (n & 1)) << 48) : "memory");
        check_eq(READ_ONCE(window[0]), 'a' + (n & 1));
    }
    sysreg_write(ttbr0_el1, root);
    arch_isb();
    pt_set(window, PTE_DATA | (uintptr_t)window);
}

void test_main(void)
{
    static char here[2] = "x";
    uint64_t tcr = sysreg_read(tcr_el1);
    const char *tagged = (const char *)((uintptr_t)here | 0x5aULL << 56);
    struct fault *f = fault_arm();

    high_half(tcr);
    spaces();
    f = fault_arm();
    fault_probe(look, (void *)tagged);
    check_fault(f, EC_DABT, FSC_TRANSLATION);
    check_eq(f->far, tagged);
    control(tcr | 1ULL << 37);                          /* TBI0 */
    f = fault_arm();
    check_eq(READ_ONCE(*tagged), 'x');
    check_no_fault(f);
    control(tcr);
}
