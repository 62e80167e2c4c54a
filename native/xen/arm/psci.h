/* psci.h - the power state coordination interface, as Xen 4.17 offers it to guests: version 1.1 (DEN 0022), the calls of
 * version 0.1, and SMCCC's own (DEN 0028). Who the caller is decides what a call does: struct psci_effects.
 */
#ifndef XENLAB_ARM_PSCI_H
#define XENLAB_ARM_PSCI_H
#ifndef XENLAB_CFFI
#include <stdbool.h>
#include <stdint.h>
#endif

/* What calls do. Every one gets `ctx`; vcpu numbers are checked against `vcpus`, nothing else is. */
struct psci_effects {
    unsigned vcpus;                                     /* of the domain */
    bool (*is_on)(void *ctx, unsigned vcpu);
    /* Start a vcpu that is off, at `entry` with x0 = `context`; of a 32-bit domain, bit 0 of `entry` says Thumb.
     * False: it cannot be done (PSCI_DENIED). */
    bool (*cpu_on)(void *ctx, unsigned vcpu, uint64_t entry, uint64_t context);
    void (*cpu_off)(void *ctx);                         /* the caller; it never returns from the call */
    void (*suspend)(void *ctx);                         /* the caller, until it has an interrupt: as WFI */
    void (*system_off)(void *ctx);
    void (*system_reset)(void *ctx);
};

/* A call by hvc #0 or smc #0 (another immediate is no call: undefined). `narrow`: the domain is of 32 bits, so are arguments.
 * `x`: x0..x3 (r0..r3); results go there, as far as the calling convention says. What is not known is answered as such. */
void psci_call(const struct psci_effects *effects, void *ctx, bool narrow, uint64_t x[4]);

#endif
