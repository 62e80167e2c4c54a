/* traps.h (PV) - the trap table, the callbacks, and what C does with a trap. */
#ifndef GUEST_PV_TRAPS_H
#define GUEST_PV_TRAPS_H
#include <stdbool.h>

struct regs;
/* A test's own handler. True: dealt with, go on from `regs` (which may have been changed). */
typedef bool trap_handler(struct regs *regs);
/* `vector`: 0..255, TRAP_SYSCALL or TRAP_FAILSAFE. NULL: the library's own. */
void trap_set_handler(unsigned vector, trap_handler *handler);
/* Register the library's trap table with Xen, and event, failsafe and syscall callbacks, for this vcpu. */
void traps_init(void);
/* One entry of the trap table anew: DPL, and 4 to mask events. */
long trap_register(unsigned vector, unsigned flags);
/* The table as given to Xen, ended by an empty entry. */
struct trap_info;
const struct trap_info *traps_table(void);
/* ds, es, fs, gs of the last failsafe frame. */
extern unsigned long failsafe_selectors[4];
/* The addresses of the entries. */
void trap_event(void), trap_failsafe(void), trap_syscall(void), trap_nmi(void);

/* Run fn(arg) in user mode, on a stack of its own, and return what it returns. An exception there that nobody
 * handles also comes back: fault_arm() first, and look at it afterwards. */
unsigned long user_call(unsigned long (*fn)(unsigned long), unsigned long arg);
void user_enter(unsigned long ip, unsigned long sp, unsigned long arg, unsigned long flags)
    __attribute__((noreturn));
void user_return(void);
void frame_return(const struct regs *regs) __attribute__((noreturn));
enum { USER_EXIT = 0 };

#endif
