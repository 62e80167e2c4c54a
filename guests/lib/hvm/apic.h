/* apic.h (HVM) - the local APIC, whose interrupts interrupts.h counts. Facts: Intel SDM volume 3, chapter 10. */
#ifndef GUEST_HVM_APIC_H
#define GUEST_HVM_APIC_H
#include <stdbool.h>
#include <stdint.h>

#define LAPIC_BASE 0xfee00000UL
enum {
    LAPIC_ID = 0x20, LAPIC_VERSION = 0x30, LAPIC_TPR = 0x80, LAPIC_PPR = 0xa0, LAPIC_EOI = 0xb0, LAPIC_LDR = 0xd0,
    LAPIC_DFR = 0xe0, LAPIC_SVR = 0xf0, LAPIC_ISR = 0x100, LAPIC_TMR = 0x180, LAPIC_IRR = 0x200, LAPIC_ESR = 0x280,
    LAPIC_ICR = 0x300, LAPIC_ICR2 = 0x310, LAPIC_LVT_TIMER = 0x320, LAPIC_LVT_LINT0 = 0x350, LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370, LAPIC_INITIAL = 0x380, LAPIC_CURRENT = 0x390, LAPIC_DIVIDE = 0x3e0
};
enum { LVT_MASKED = 1 << 16, LVT_PERIODIC = 1 << 17, LVT_TSC_DEADLINE = 1 << 18 };

static inline uint32_t lapic_read(unsigned reg) { return *(volatile uint32_t *)(LAPIC_BASE + reg); }
static inline void lapic_write(unsigned reg, uint32_t value) { *(volatile uint32_t *)(LAPIC_BASE + reg) = value; }

/* Software-enable this processor's APIC; spurious vector 0xff. */
void apic_enable(void);
enum { ICR_INIT = 0x4500, ICR_START_UP = 0x4600, ICR_NMI = 4 << 8, ICR_SELF = 1 << 18 };
/* Send: `command` is the low word of the ICR, `to` an APIC ID. */
void apic_send(uint32_t to, uint32_t command);
/* Do not send an EOI for this vector (the handler does, or none is due: events by vector, the 8259A). */
void interrupt_without_eoi(unsigned vector);
/* As interrupt_wait(), halted between interrupts: whatever it waits for must come as an interrupt. False: `count` and eight others
 * have woken it. */
bool interrupt_halt(unsigned vector, unsigned count);
/* Let time pass, halted; the local APIC's timer ends it. Interrupts are taken meanwhile. */
void apic_sleep(uint32_t ns);
/* The library's part of an interrupt. False: nobody expects it. */
bool apic_interrupt(unsigned vector);

#endif
