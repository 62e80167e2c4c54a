/* @title  control registers
 * @fact   bits that do not exist, and combinations that make no sense, are #GP(0) and change nothing; what is fixed reads as it is;
 *         MOV CR is #GP(0) outside of ring 0, CR1 and CR5 - CR7 are undefined; LMSW sets PE and cannot clear it; CR8 is the TPR
 * @source Intel SDM vol. 2 MOV (control registers), LMSW, vol. 3A 2.5, 10.8.6; AMD64 APM vol. 2, 3.1
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { EFER = (int)0xc0000080, NW = 1 << 29, CD = 1 << 30 };
static unsigned long user_read_cr0(unsigned long x) { (void)x; return read_cr0(); }
static unsigned long user_write_cr3(unsigned long x) { write_cr3(x); return x; }
static unsigned long user_lmsw(unsigned long x) { __asm__ volatile("lmsw %w0" : : "r"(x)); return x; }
static unsigned long user_clts(unsigned long x) { __asm__ volatile("clts"); return x; }

static void cr0_refused(unsigned long value)
{
    unsigned long before = read_cr0();
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("mov %0, %%cr0") : : "r"(value) : "memory");
    check_fault(f, X86_EXC_GP, 0);
    check_eq(read_cr0(), before);
}

static void cr4_refused(unsigned long value)
{
    unsigned long before = read_cr4();
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("mov %0, %%cr4") : : "r"(value) : "memory");
    check_fault(f, X86_EXC_GP, 0);
    check_eq(read_cr4(), before);
}

static void efer_refused(uint64_t value)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("wrmsr") : : "c"(EFER), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
    check_fault(f, X86_EXC_GP, 0);
}

static void user_refused(unsigned long (*fn)(unsigned long))
{
    struct fault *f = fault_arm();

    user_call(fn, 0);
    check_fault(f, X86_EXC_GP, 0);
}

void test_main(void)
{
    unsigned long cr0 = read_cr0(), cr4 = read_cr4();
    uint64_t efer = rdmsr((uint32_t)EFER);
    struct fault *f;

    cr0_refused((cr0 | X86_CR0_PG) & ~(unsigned long)X86_CR0_PE);
    cr0_refused((cr0 | NW) & ~(unsigned long)CD);
    write_cr0(cr0 & ~(unsigned long)X86_CR0_ET);                 /* fixed */
    check_eq(read_cr0(), cr0 | X86_CR0_ET);
    write_cr0(cr0 | NW | CD);
    check_eq(read_cr0(), cr0 | NW | CD);
    write_cr0(cr0);
    __asm__ volatile("lmsw %w0" : : "r"(8));                     /* TS; PE stays */
    check_eq(read_cr0() & 0xf, 9);
    __asm__ volatile("clts");
    check_eq(read_cr0() & 9, 1);
    write_cr0(cr0);

    for (unsigned bit = 0; bit < sizeof(long) * 8; bit++)
        if (bit > 22 || bit == 13 || bit == 14 || bit == 19)     /* nobody has them, or not this processor (VMXE, SMXE) */
            cr4_refused(cr4 | 1UL << bit);
    efer_refused(efer | 1 << 1);
    efer_refused(efer | 1ULL << 40);
    efer_refused(efer | 1 << 12);
#ifdef __x86_64__
    cr0_refused(cr0 | 1UL << 32);
    cr0_refused(cr0 & ~(unsigned long)X86_CR0_PG & ~(unsigned long)X86_CR0_PE);
    cr4_refused(cr4 & ~(unsigned long)X86_CR4_PAE);
    efer_refused(efer & ~(uint64_t)0x100);                       /* LME, while paging */
    for (unsigned long cr8 = 0; cr8 < 16; cr8++) {
        unsigned long now;

        __asm__ volatile("mov %1, %%cr8\n\tmov %%cr8, %0" : "=r"(now) : "r"(cr8));
        check_eq(now, cr8);
        check_eq(lapic_read(0x80), cr8 << 4);
    }
    __asm__ volatile("mov %0, %%cr8" : : "r"(0UL));
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr8") : : "r"(16UL));
    check_fault(f, X86_EXC_GP, 0);
#endif
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x0f, 0x20, 0xc8") : : : "ax");
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x0f, 0x22, 0xe8") : : : "ax");
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x0f, 0x20, 0xf8") : : : "ax");
    check_fault(f, X86_EXC_UD, 0);

    user_refused(user_read_cr0);
    user_refused(user_write_cr3);
    user_refused(user_lmsw);
    user_refused(user_clts);
}
