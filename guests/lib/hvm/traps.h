/* traps.h (HVM) - the interrupt descriptor table, and what C does with a trap. */
#ifndef GUEST_HVM_TRAPS_H
#define GUEST_HVM_TRAPS_H
#include <handlers.h>

/* Load this processor's tables: GDT with a TSS, IDT, SYSCALL's MSRs. */
void traps_init(void);
/* One gate anew: which ring may call it by INT n, and whether it is present. */
void trap_gate(unsigned vector, unsigned dpl, bool present);
/* A gate of the table, by its words in memory. */
void *trap_gate_address(unsigned vector);

#endif
