/* sysreg.h (arm64) - system registers and instructions. */
#ifndef GUEST_ARM64_SYSREG_H
#define GUEST_ARM64_SYSREG_H
#include <stdint.h>

/* By the assembler's name, or as s3_0_c12_c12_0. */
#define sysreg_read(name) ({ uint64_t sysreg_v; __asm__ volatile("mrs %0, " #name : "=r"(sysreg_v) : : "memory"); sysreg_v; })
#define sysreg_write(name, value) __asm__ volatile("msr " #name ", %0" : : "r"((uint64_t)(value)) : "memory")

#define DAIF_IRQ 0x80
static inline void arch_isb(void) { __asm__ volatile("isb" : : : "memory"); }
static inline void irq_disable(void) { __asm__ volatile("msr daifset, #2" : : : "memory"); }
static inline void irq_enable(void) { __asm__ volatile("msr daifclr, #2" : : : "memory"); }
/* Wait for an interrupt, with no chance of missing it; interrupts are off afterwards, and have been taken. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("wfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" : : : "memory");
}

/* interrupts.h: let interrupts through, and have it again as it was. */
static inline unsigned long arch_interrupts_open(void)
{
    unsigned long before = sysreg_read(daif);

    irq_enable();
    return before;
}
static inline void arch_interrupts_restore(unsigned long before) { sysreg_write(daif, before); }
static inline void arch_relax(void) { __asm__ volatile("yield" : : : "memory"); }

static inline void arch_barrier(void) { __asm__ volatile("dsb sy" : : : "memory"); }
static inline void arch_tlb_flush_all(void) { __asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" : : : "memory"); }
static inline void arch_tlb_flush_page(const void *va)
{
    __asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb" : : "r"((uint64_t)va >> 12) : "memory");
}
/* Have what was written there be executed, on all processors. */
static inline void arch_sync_code(const void *va)
{
    __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" : : "r"(va) : "memory");
}

static inline uint64_t arch_counter(void) { arch_isb(); return sysreg_read(cntvct_el0); }
static inline uint64_t arch_counter_frequency(void) { return sysreg_read(cntfrq_el0); }
/* The virtual and the physical timer: compare value, control (TIMER_*). */
static inline void timer_virtual(uint64_t at, unsigned control)
{
    sysreg_write(cntv_cval_el0, at);
    sysreg_write(cntv_ctl_el0, control);
    arch_isb();
}
static inline void timer_physical(uint64_t at, unsigned control)
{
    sysreg_write(cntp_cval_el0, at);
    sysreg_write(cntp_ctl_el0, control);
    arch_isb();
}

/* The CPU interface of a GICv3: ICC_SRE_EL1, ICC_PMR_EL1, ICC_IGRPEN1_EL1, ICC_SGI1R_EL1, ICC_IAR1_EL1, ICC_EOIR1_EL1. */
static inline void icc_enable(unsigned priority_mask)
{
    sysreg_write(s3_0_c12_c12_5, 1);
    arch_isb();
    sysreg_write(s3_0_c4_c6_0, priority_mask);
    sysreg_write(s3_0_c12_c12_7, 1);
    arch_isb();
}
static inline void icc_send(unsigned number, unsigned processors)
{
    arch_barrier();
    sysreg_write(s3_0_c12_c11_5, (uint64_t)number << 24 | processors);
    arch_isb();
}
static inline uint32_t icc_acknowledge(void) { return (uint32_t)sysreg_read(s3_0_c12_c12_0); }
static inline void icc_end(uint32_t acknowledged)
{
    sysreg_write(s3_0_c12_c12_1, acknowledged);
    arch_isb();
}

#endif
