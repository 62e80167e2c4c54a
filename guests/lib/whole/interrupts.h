/* interrupts.h (whole processors) - interrupts by number: an x86 vector, or an interrupt ID of a GIC. arch.h says how many
 * there are (INTERRUPTS) and how they are let through (arch_interrupts_open, arch_interrupts_restore).
 */
#ifndef GUEST_WHOLE_INTERRUPTS_H
#define GUEST_WHOLE_INTERRUPTS_H
#include <stdbool.h>
#include <stdint.h>

/* Interrupts of this number, all processors together; each is ended at its controller. */
unsigned interrupt_count(unsigned number);
/* Call this at an interrupt, before its end; NULL: only count. */
void interrupt_watch(unsigned number, void (*handler)(unsigned number));
/* It may come, whether it is watched or not. */
void interrupt_expect(unsigned number);
/* Wait with interrupts enabled until the number has come so often, or system time is up. */
bool interrupt_wait(unsigned number, unsigned count, uint64_t ns);
/* The library's part of an interrupt: count it, call who watches. False: nobody expects it. */
bool interrupt_taken(unsigned number);

#endif
