/* system.h (HVM) - ring 0 instructions: control and debug registers, MSRs, ports. */
#ifndef GUEST_HVM_SYSTEM_H
#define GUEST_HVM_SYSTEM_H
#include <stdbool.h>
#include <stdint.h>

#include <abi/arch/x86_defs.h>

#define MSR_TSC_DEADLINE 0x6e0

/* What LGDT, LIDT, SGDT and SIDT take and give. */
struct table_pointer {
    uint16_t limit;
    unsigned long base;
} __attribute__((packed));

#define REGISTER_ACCESS(name) \
    static inline unsigned long read_##name(void) \
    { \
        unsigned long v; \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v) : : "memory"); \
        return v; \
    } \
    static inline void write_##name(unsigned long v) { __asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory"); }
REGISTER_ACCESS(cr0)
REGISTER_ACCESS(cr2)
REGISTER_ACCESS(cr3)
REGISTER_ACCESS(cr4)
REGISTER_ACCESS(dr0)
REGISTER_ACCESS(dr1)
REGISTER_ACCESS(dr2)
REGISTER_ACCESS(dr3)
REGISTER_ACCESS(dr6)
REGISTER_ACCESS(dr7)

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

#define PORT_ACCESS(letter, type) \
    static inline type in##letter(uint16_t port) \
    { \
        type v; \
        __asm__ volatile("in" #letter " %w1, %0" : "=a"(v) : "Nd"(port) : "memory"); \
        return v; \
    } \
    static inline void out##letter(uint16_t port, type v) \
    { \
        __asm__ volatile("out" #letter " %0, %w1" : : "a"(v), "Nd"(port) : "memory"); \
    }
PORT_ACCESS(b, uint8_t)
PORT_ACCESS(w, uint16_t)
PORT_ACCESS(l, uint32_t)

static inline void irq_disable(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void irq_enable(void) { __asm__ volatile("sti" : : : "memory"); }
/* interrupts.h: let interrupts through, and have it again as it was. */
#define INTERRUPTS 256
static inline unsigned long arch_interrupts_open(void)
{
    unsigned long flags = x86_flags();

    irq_enable();
    return flags;
}
static inline void arch_interrupts_restore(unsigned long flags) { x86_set_flags(flags); }
static inline void arch_relax(void) { __asm__ volatile("pause" : : : "memory"); }
/* Wait for an interrupt, with no chance of missing it; interrupts are off afterwards. */
static inline void wait_for_interrupt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

#endif
