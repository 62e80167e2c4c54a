/* vtimer.h - the generic timer of a vcpu: virtual and EL1 physical, from the one clock of the hypervisor (DDI 0487, D11).
 *
 * CNTFRQ is 1 GHz (what Armv8.6 fixes, and Neoverse systems have): a tick is a nanosecond, so nothing is ever rounded.
 * CNTPCT is the system time, CNTVCT = CNTPCT - cntvoff.
 */
#ifndef XENLAB_ARM_VTIMER_H
#define XENLAB_ARM_VTIMER_H
#ifndef XENLAB_CFFI
#include <stdbool.h>
#endif
#include "state.h"

#define VTIMER_HZ 1000000000u
enum vtimer_which { VTIMER_VIRTUAL = 0, VTIMER_PHYSICAL = 1 };
enum { VTIMER_ENABLE = 1, VTIMER_IMASK = 2, VTIMER_ISTATUS = 4 };
enum vtimer_answer {
    VTIMER_DONE,
    VTIMER_ELSEWHERE,             /* no register of the timer */
    VTIMER_UNDEFINED,             /* not writable here, or not from here */
    VTIMER_TRAP                   /* CNTKCTL_EL1 keeps EL0 out: EL1 takes a system register trap (ESR.EC 0x18 or, AArch32, 3/4) */
};

/* One MRS or MSR, `reg` as ARM_SYSREG() numbers it (../vgic.h); `el`: 0 or 1; `now`: ns of system time. After a write the
 * caller asks vtimer_output() again. AArch32's CNTP_* and CNTV_* are the EL0 names. */
enum vtimer_answer vtimer_sysreg(struct vtimer timer[VTIMERS], uint64_t cntvoff, uint64_t cntkctl, unsigned el, uint64_t now,
                                 uint32_t reg, bool write, uint64_t *value);
/* The level of a timer's interrupt. */
bool vtimer_output(const struct vtimer timer[VTIMERS], enum vtimer_which which, uint64_t cntvoff, uint64_t now);
/* The ns of system time at which the next output rises; 0: none will. */
uint64_t vtimer_deadline(const struct vtimer timer[VTIMERS], uint64_t cntvoff, uint64_t now);
/* May this have come about? */
bool vtimer_ok(const struct vtimer timer[VTIMERS]);

#endif
