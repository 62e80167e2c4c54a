/* traps.h (HVM) - the interrupt descriptor table, and what C does with a trap. */
#ifndef GUEST_HVM_TRAPS_H
#define GUEST_HVM_TRAPS_H
#include <stdbool.h>

struct regs;
/* A test's own handler. True: dealt with, go on from `regs` (which may have been changed). */
typedef bool trap_handler(struct regs *regs);
/* `vector`: 0..255 or TRAP_SYSCALL. NULL: the library's own. */
void trap_set_handler(unsigned vector, trap_handler *handler);
/* Load this processor's tables: GDT with a TSS, IDT, SYSCALL's MSRs. */
void traps_init(void);
/* One gate anew: which ring may call it by INT n, and whether it is present. */
void trap_gate(unsigned vector, unsigned dpl, bool present);
/* A gate of the table, by its words in memory. */
void *trap_gate_address(unsigned vector);

/* Run fn(arg) in user mode, on a stack of its own, and return what it returns. An exception there that nobody
 * handles also comes back: fault_arm() first, and look at it afterwards. One processor at a time. */
unsigned long user_call(unsigned long (*fn)(unsigned long), unsigned long arg);
void user_enter(unsigned long ip, unsigned long sp, unsigned long arg, unsigned long flags)
    __attribute__((noreturn));
void user_return(void);
void frame_return(const struct regs *regs) __attribute__((noreturn));
enum { USER_EXIT = 0 };

#endif
