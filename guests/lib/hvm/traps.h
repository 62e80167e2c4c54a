/* traps.h (HVM) - the interrupt descriptor table, and what C does with a trap. */
#ifndef GUEST_HVM_TRAPS_H
#define GUEST_HVM_TRAPS_H
#include <handlers.h>

enum { STUB_BYTES = 16, GATE_TASK = 5, GATE_INTERRUPT = 14, GATE_TRAP = 15 };
struct percpu;
extern char trap_stubs[], boot_gdt[], boot_gdt_end[];

/* Load this processor's tables: GDT with a TSS, IDT, and SYSCALL's MSRs where there are any. */
void traps_init(void);
/* One gate anew: which ring may call it by INT n, and whether it is present. */
void trap_gate(unsigned vector, unsigned dpl, bool present);
/* A gate of the table, by its words in memory. */
void *trap_gate_address(unsigned vector);

/* By width, in tables.c: a gate to the stub of `vector` (`type`: with DPL and present bit); GDT and TSS of a processor, made
 * and loaded by descriptors_load(). */
struct gate gate_make(unsigned vector, uint8_t type);
/* The same to other code. */
struct gate gate_to(const void *code, unsigned selector, uint8_t type);
void tables_load(struct percpu *cpu);
void descriptors_load(struct percpu *cpu);

#endif
