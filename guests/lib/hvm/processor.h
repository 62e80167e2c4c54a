/* processor.h (HVM) - what 32-bit and 64-bit guests on a whole processor have in common. Included by arch.h, which says before
 * which selectors and stacks there are.
 */
#ifndef GUEST_HVM_PROCESSOR_H
#define GUEST_HVM_PROCESSOR_H

#define PERCPU_SIZE 0x4000              /* struct percpu, trap stack, stack: aligned to its size */
#define TRAP_STACK_END 0x2000
#define HYPERCALL_INSN "vmmcall"
#define TSS_SELECTOR 0x40
#define AP_TRAMPOLINE 0x8000            /* guest-physical: where SIPI starts the other processors */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct percpu_arch {
    unsigned apic_id;
    uint64_t gdt[24];
    uint32_t tss[26];
};
#endif
#include <regs.h>
#ifndef __ASSEMBLER__
static inline unsigned long arch_fault_address(void)
{
    unsigned long cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}

#include <system.h>
#include <traps.h>
#include <apic.h>
#include <hvm.h>
#endif
#endif
