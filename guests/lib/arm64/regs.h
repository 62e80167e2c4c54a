/* regs.h (arm64) - registers on the stack, contexts, hypercalls. */
#ifndef GUEST_ARM64_REGS_H
#define GUEST_ARM64_REGS_H

/* What entry.S builds on the stack. */
struct regs {
    uint64_t x[31];
    uint64_t sp;                        /* of the code that was interrupted */
    uint64_t ip, flags;                 /* ELR_EL1, SPSR_EL1 */
    uint64_t esr, far;
    uint64_t vector;                    /* EC_* or TRAP_* */
    uint64_t entry;                     /* the vector table's: 0 to 15 */
};
void arch_print_regs(const struct regs *regs);

/* Callee-saved registers and the interrupt mask: setjmp and longjmp by other names. */
struct context {
    uint64_t x19_x30[12], sp, daif;
};
int context_save(struct context *context) __attribute__((returns_twice));
void context_restore(struct context *context, int value) __attribute__((noreturn));

#include <percpu.h>

static inline long arch_hypercall(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                                  unsigned long e)
{
    register unsigned long x0 __asm__("x0") = a;
    register unsigned long x1 __asm__("x1") = b;
    register unsigned long x2 __asm__("x2") = c;
    register unsigned long x3 __asm__("x3") = d;
    register unsigned long x4 __asm__("x4") = e;
    register unsigned long x16 __asm__("x16") = nr;

    __asm__ volatile("hvc %[tag]"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x16)
                     : [tag] "i"(XEN_HYPERCALL_TAG)
                     : "memory");
    return (long)x0;
}
/* There is no hypercall page on ARM. */
#define arch_hypercall_inline arch_hypercall

/* PSCI (PSCI_FN_*); what it answers. */
static inline long psci(unsigned long function, unsigned long a, unsigned long b, unsigned long c)
{
    register unsigned long x0 __asm__("x0") = function;
    register unsigned long x1 __asm__("x1") = a;
    register unsigned long x2 __asm__("x2") = b;
    register unsigned long x3 __asm__("x3") = c;

    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    return (long)x0;
}

#endif
