/* sysreg.h (arm32) - system registers and instructions. Facts: Arm DDI 0406C, chapter B3.17. */
#ifndef GUEST_ARM32_SYSREG_H
#define GUEST_ARM32_SYSREG_H
#include <stdint.h>

/* CP15 registers: opc1, CRn, CRm, opc2; the 64-bit ones: opc1, CRm. */
#define cp15_read(opc1, crn, crm, opc2) ({ \
    uint32_t cp15_v; \
    __asm__ volatile("mrc p15, " #opc1 ", %0, c" #crn ", c" #crm ", " #opc2 : "=r"(cp15_v) : : "memory"); \
    cp15_v; })
#define cp15_write(opc1, crn, crm, opc2, value) \
    __asm__ volatile("mcr p15, " #opc1 ", %0, c" #crn ", c" #crm ", " #opc2 : : "r"((uint32_t)(value)) : "memory")
#define cp15_read64(opc1, crm) ({ \
    uint64_t cp15_v; \
    __asm__ volatile("mrrc p15, " #opc1 ", %Q0, %R0, c" #crm : "=r"(cp15_v) : : "memory"); \
    cp15_v; })
#define cp15_write64(opc1, crm, value) \
    __asm__ volatile("mcrr p15, " #opc1 ", %Q0, %R0, c" #crm : : "r"((uint64_t)(value)) : "memory")

#define CPSR_IRQ 0x80
static inline uint32_t cpsr_read(void) { uint32_t v; __asm__ volatile("mrs %0, cpsr" : "=r"(v) : : "memory"); return v; }
static inline void arch_isb(void) { __asm__ volatile("isb" : : : "memory"); }
static inline void irq_disable(void) { __asm__ volatile("cpsid i" : : : "memory"); }
static inline void irq_enable(void) { __asm__ volatile("cpsie i" : : : "memory"); }
/* Wait for an interrupt, with no chance of missing it; interrupts are off afterwards, and have been taken. */
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi\n\tcpsie i\n\tisb\n\tcpsid i" : : : "memory"); }

/* interrupts.h: let interrupts through, and have it again as it was. */
static inline unsigned long arch_interrupts_open(void)
{
    unsigned long before = cpsr_read();

    irq_enable();
    return before;
}
static inline void arch_interrupts_restore(unsigned long before)
{
    if (before & CPSR_IRQ)
        irq_disable();
    else
        irq_enable();
}
static inline void arch_relax(void) { __asm__ volatile("yield" : : : "memory"); }

static inline void arch_barrier(void) { __asm__ volatile("dsb sy" : : : "memory"); }
/* TLBIALLIS, TLBIMVAAIS */
static inline void arch_tlb_flush_all(void)
{
    arch_barrier();
    cp15_write(0, 8, 3, 0, 0);
    arch_barrier();
    arch_isb();
}
static inline void arch_tlb_flush_page(const void *va)
{
    arch_barrier();
    cp15_write(0, 8, 3, 3, (uint32_t)va & ~0xfffu);
    arch_barrier();
    arch_isb();
}
/* Have what was written there be executed, on all processors: DCCMVAU, ICIMVAU. */
static inline void arch_sync_code(const void *va)
{
    cp15_write(0, 7, 11, 1, va);
    arch_barrier();
    cp15_write(0, 7, 5, 1, va);
    arch_barrier();
    arch_isb();
}

static inline uint64_t arch_counter(void) { arch_isb(); return cp15_read64(1, 14); }
static inline uint64_t arch_counter_frequency(void) { return cp15_read(0, 14, 0, 0); }
/* The virtual and the physical timer: compare value, control (TIMER_*). */
static inline void timer_virtual(uint64_t at, unsigned control)
{
    cp15_write64(3, 14, at);
    cp15_write(0, 14, 3, 1, control);
    arch_isb();
}
static inline void timer_physical(uint64_t at, unsigned control)
{
    cp15_write64(2, 14, at);
    cp15_write(0, 14, 2, 1, control);
    arch_isb();
}

/* The CPU interface of a GICv3: ICC_SRE, ICC_PMR, ICC_IGRPEN1, ICC_SGI1R, ICC_IAR1, ICC_EOIR1. */
static inline void icc_enable(unsigned priority_mask)
{
    cp15_write(0, 12, 12, 5, 1);
    arch_isb();
    cp15_write(0, 4, 6, 0, priority_mask);
    cp15_write(0, 12, 12, 7, 1);
    arch_isb();
}
static inline void icc_send(unsigned number, unsigned processors)
{
    arch_barrier();
    cp15_write64(0, 12, (uint64_t)number << 24 | processors);
    arch_isb();
}
static inline uint32_t icc_acknowledge(void) { return cp15_read(0, 12, 12, 0); }
static inline void icc_end(uint32_t acknowledged)
{
    cp15_write(0, 12, 12, 1, acknowledged);
    arch_isb();
}

#endif
