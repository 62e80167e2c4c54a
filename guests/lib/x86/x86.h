/* x86.h - single instructions and short names of page-table bits (Intel SDM vol. 2, 3A); the numbers are in <abi>. */
#ifndef GUEST_X86_H
#define GUEST_X86_H
#include <stdint.h>

#include <abi/arch/x86_defs.h>

/* Error code of a gate: INT n and friends (SDM 3A 6.13). */
#define EC_GATE(vector) ((uint32_t)(vector) * 8 + X86_XEC_IDT)

/* Page-table entries, as words. */
#define PTE_P ((uint64_t)_PAGE_PRESENT)
#define PTE_RW ((uint64_t)_PAGE_RW)
#define PTE_US ((uint64_t)_PAGE_USER)
#define PTE_A ((uint64_t)_PAGE_ACCESSED)
#define PTE_D ((uint64_t)_PAGE_DIRTY)
#define PTE_PS ((uint64_t)_PAGE_PSE)
#define PTE_NX ((uint64_t)_PAGE_NX)
#define PTE_FRAME ((uint64_t)PTE_ADDR_MASK)
#define PAGE_SIZE 4096UL
#define PAGE_SHIFT 12

/* Everything but the address is in the name. Faults are the caller's: see FAULTING in faults.h. */
static inline unsigned long x86_flags(void)
{
    unsigned long flags;

    __asm__ volatile("pushf\n\tpop %0" : "=r"(flags) : : "memory");
    return flags;
}
static inline void x86_set_flags(unsigned long flags)
{
    __asm__ volatile("push %0\n\tpopf" : : "r"(flags) : "memory", "cc");
}
static inline unsigned x86_cs(void) { unsigned s; __asm__ volatile("mov %%cs, %0" : "=r"(s)); return s & 0xffff; }
static inline unsigned x86_ss(void) { unsigned s; __asm__ volatile("mov %%ss, %0" : "=r"(s)); return s & 0xffff; }
static inline unsigned x86_ds(void) { unsigned s; __asm__ volatile("mov %%ds, %0" : "=r"(s)); return s & 0xffff; }
static inline unsigned x86_fs(void) { unsigned s; __asm__ volatile("mov %%fs, %0" : "=r"(s)); return s & 0xffff; }
static inline unsigned x86_gs(void) { unsigned s; __asm__ volatile("mov %%gs, %0" : "=r"(s)); return s & 0xffff; }

struct cpuid { uint32_t eax, ebx, ecx, edx; };
static inline struct cpuid x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid c;

    __asm__ volatile("cpuid" : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx) : "a"(leaf), "c"(subleaf));
    return c;
}
static inline uint64_t x86_rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* Data of the image can be executed anyway, and stores to code are seen. */
static inline void code_allow(void *page) { (void)page; }
static inline void code_written(const void *at, unsigned bytes) { (void)at, (void)bytes; }

#endif
