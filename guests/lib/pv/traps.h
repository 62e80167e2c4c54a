/* traps.h (PV) - the trap table, the callbacks, and what C does with a trap. */
#ifndef GUEST_PV_TRAPS_H
#define GUEST_PV_TRAPS_H
#include <handlers.h>

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

#endif
