/* x86.h - exception vectors, selector error codes, page-table bits and single instructions (Intel SDM vol. 2, 3A). */
#ifndef GUEST_X86_H
#define GUEST_X86_H
#include <stdint.h>

enum exception_vector {
    X86_DE = 0, X86_DB = 1, X86_NMI = 2, X86_BP = 3, X86_OF = 4, X86_BR = 5, X86_UD = 6, X86_NM = 7, X86_DF = 8,
    X86_TS = 10, X86_NP = 11, X86_SS = 12, X86_GP = 13, X86_PF = 14, X86_MF = 16, X86_AC = 17, X86_MC = 18,
    X86_XM = 19
};
/* Page-fault error code (SDM 3A 4.7). */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };
/* Error codes that name a selector or a gate (SDM 3A 6.13). */
enum { EC_EXT = 1, EC_IDT = 2, EC_TI = 4 };
#define EC_GATE(vector) ((uint32_t)(vector) * 8 + EC_IDT)

/* Page-table entries (SDM 3A 4.5). */
#define PTE_P 0x001ULL
#define PTE_RW 0x002ULL
#define PTE_US 0x004ULL
#define PTE_PWT 0x008ULL
#define PTE_PCD 0x010ULL
#define PTE_A 0x020ULL
#define PTE_D 0x040ULL
#define PTE_PS 0x080ULL
#define PTE_G 0x100ULL
#define PTE_NX 0x8000000000000000ULL
#define PTE_FRAME 0x000ffffffffff000ULL
#define PAGE_SIZE 4096UL
#define PAGE_SHIFT 12

#define FLAG_CF 0x001UL
#define FLAG_ZF 0x040UL
#define FLAG_TF 0x100UL
#define FLAG_IF 0x200UL
#define FLAG_DF 0x400UL
#define FLAG_OF 0x800UL
#define FLAG_IOPL 0x3000UL
#define FLAG_NT 0x4000UL
#define FLAG_AC 0x40000UL

#define CR0_PE 0x1UL
#define CR0_MP 0x2UL
#define CR0_TS 0x8UL
#define CR0_NE 0x20UL
#define CR0_WP 0x10000UL
#define CR0_AM 0x40000UL
#define CR0_PG 0x80000000UL

enum {
    MSR_APIC_BASE = 0x1b, MSR_PAT = 0x277, MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082,
    MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101, MSR_KERNEL_GS_BASE = 0xc0000102
};

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

#endif
