/* traps.c (HVM) - the descriptor tables of a processor; interrupts and user mode. What differs by width is in tables.c. */
#include <guest.h>

static struct gate idt[256] __attribute__((aligned(16)));

void trap_gate(unsigned vector, unsigned dpl, bool present)
{
    idt[vector] = gate_make(vector, (uint8_t)((present ? 0x80 : 0) | dpl << 5 | GATE_INTERRUPT));
}

void *trap_gate_address(unsigned vector)
{
    return &idt[vector];
}

void traps_init(void)
{
    struct table_pointer pointer = { sizeof(idt) - 1, (unsigned long)idt };

    for (unsigned i = 0; i < 256 && !idt[255].type; i++)
        trap_gate(i, i == X86_EXC_BP || i == X86_EXC_OF || i == 0x80 || i == 0x81 || i == USER_EXIT_INT ? 3 : 0, true);
    tables_load(this_cpu());
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void descriptors_load(struct percpu *cpu)
{
    struct table_pointer pointer = { sizeof(cpu->arch.gdt) - 1, (unsigned long)cpu->arch.gdt };

    __asm__ volatile("lgdt %0" : : "m"(pointer));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

bool arch_interrupt(struct regs *regs)
{
    return regs->vector >= 32 && regs->vector < 256 && apic_interrupt((unsigned)regs->vector);
}
