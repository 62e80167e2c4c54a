/* @title  address bits that a processor does not have
 * @fact   in a page-table entry of any level each is a #PF that says so, in CR3 a #GP; the highest that there is names a page
 * @source Intel SDM vol. 3A 4.7; AMD64 APM volume 3, E.4.7 (CPUID 0x80000008)
 * @env    pvh64 hvm64
 */
#include <guest.h>

enum { LARGE = 0x200000, ENTRY = 100 };                  /* of the first table of 2 MiB pages: behind the memory */
#define PAGE ((volatile char *)((unsigned long)ENTRY * LARGE))
extern uint64_t page_l4[512], page_l3[512], page_l2[512];

static void expect(uint64_t *entry, unsigned bit)
{
    uint64_t old = *entry;
    struct fault *f;

    *entry = old | 1UL << bit;
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
    f = fault_arm();
    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(PAGE) : "rax", "memory");
    check_fault(f, X86_EXC_PF, PFEC_reserved_bit | PFEC_page_present);
    check_eq(f->address, PAGE);
    f = fault_arm();
    __asm__ volatile(FAULTING("movb $0, (%0)") : : "r"(PAGE) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_reserved_bit | PFEC_page_present | PFEC_write_access);
    *entry = old;
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
    check_eq((unsigned char)*PAGE, 0xff);
}

void test_main(void)
{
    unsigned bits = x86_cpuid(0x80000008, 0).eax & 0xff;
    static uint64_t table[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096)));

    /* Tables of their own: the code runs in the first GiB too. */
    memcpy(table, page_l2, sizeof(table));
    memcpy(middle, page_l3, sizeof(middle));
    middle[0] = (uint64_t)table | (page_l3[0] & 0xfff);
    page_l4[0] = (uint64_t)middle | (page_l4[0] & 0xfff);
    write_cr3(read_cr3());
    for (unsigned bit = bits; bit < 52; bit++)
        expect(&table[ENTRY], bit);
    table[ENTRY] |= 1UL << (bits - 1);
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
    check_eq((unsigned char)*PAGE, 0xff);

    /* In a table of tables, seen through a second way to the page. */
    page_l4[1] = page_l4[0];
    middle[4] = middle[0];
    middle[4] |= 1UL << bits;
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(4UL << 30) : "rax", "memory");
    check_fault(f, X86_EXC_PF, PFEC_reserved_bit | PFEC_page_present);
    for (unsigned bit = bits; bit < 64; bit++) {
        f = fault_arm();
        __asm__ volatile(FAULTING("mov %0, %%cr3") : : "r"(read_cr3() | 1UL << bit) : "memory");
        check_fault(f, X86_EXC_GP, 0);
    }
    page_l4[1] |= 1UL << bits;
    f = fault_arm();
    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(1UL << 39) : "rax", "memory");
    check_fault(f, X86_EXC_PF, PFEC_reserved_bit | PFEC_page_present);
}
