/* handlers.h - who handles a trap, and user mode. */
#ifndef GUEST_HANDLERS_H
#define GUEST_HANDLERS_H
#include <stdbool.h>

struct regs;
/* A test's own handler. True: dealt with, go on from `regs` (which may have been changed). */
typedef bool trap_handler(struct regs *regs);
/* `vector`: 0..255 or a TRAP_ number below TRAP_HANDLERS. NULL: the library's own. */
void trap_set_handler(unsigned vector, trap_handler *handler);
/* Every trap comes here from entry.S. */
void trap_entry(struct regs *regs);

/* Run fn(arg) in user mode, on a stack of its own, and return what it returns. An exception there that nobody
 * handles also comes back: fault_arm() first, and look at it afterwards. */
unsigned long user_call(unsigned long (*fn)(unsigned long), unsigned long arg);
void user_enter(unsigned long ip, unsigned long sp, unsigned long arg, unsigned long flags)
    __attribute__((noreturn));
void user_return(void);
void frame_return(const struct regs *regs) __attribute__((noreturn));
enum { USER_EXIT = 0 };

/* What the environment adds (traps.c): an interrupt of its own devices, true if it was one; what user_call() needs
 * before it leaves, returning whether events were kept away; and that again, behind it. */
bool arch_interrupt(struct regs *regs);
unsigned long arch_user_begin(void);
void arch_user_end(unsigned long kept_away);
/* What the architecture adds: the stack pointer of a user function that is to return to user_return(), below `top`; and
 * whether a trap of the kind TRAP_SYSCALL is that return, with the function's result. */
unsigned long arch_user_stack(unsigned long *top, unsigned long arg);
bool arch_user_exit(const struct regs *regs, unsigned long *result);

#endif
