/* regs.h (arm32) - registers on the stack, contexts, hypercalls. */
#ifndef GUEST_ARM32_REGS_H
#define GUEST_ARM32_REGS_H

/* What entry.S builds on the stack. */
struct regs {
    uint32_t r[13];
    uint32_t sp, lr;                    /* of the code that was interrupted: user mode's, or supervisor mode's */
    uint32_t esr, far;                  /* made of IFSR and IFAR, or DFSR and DFAR */
    uint32_t vector;                    /* EC_* or TRAP_* */
    uint32_t entry;                     /* the vector table's: 0 to 7 */
    uint32_t pad;
    uint32_t ip, flags;                 /* of the instruction itself, or where a call goes on; SPSR */
};
void arch_print_regs(const struct regs *regs);

/* Callee-saved registers and the interrupt mask: setjmp and longjmp by other names. */
struct context {
    uint32_t r4_r11[8], sp, lr, cpsr;
};
int context_save(struct context *context) __attribute__((returns_twice));
void context_restore(struct context *context, int value) __attribute__((noreturn));

#include <percpu.h>

static inline long arch_hypercall(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                                  unsigned long e)
{
    register unsigned long r0 __asm__("r0") = a;
    register unsigned long r1 __asm__("r1") = b;
    register unsigned long r2 __asm__("r2") = c;
    register unsigned long r3 __asm__("r3") = d;
    register unsigned long r4 __asm__("r4") = e;
    register unsigned long r12 __asm__("r12") = nr;

    __asm__ volatile(".arch_extension virt\n\thvc %[tag]"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r12)
                     : [tag] "i"(XEN_HYPERCALL_TAG)
                     : "memory");
    return (long)r0;
}
/* There is no hypercall page on ARM. */
#define arch_hypercall_inline arch_hypercall

/* PSCI (PSCI_FN_*); what it answers. */
static inline long psci(unsigned long function, unsigned long a, unsigned long b, unsigned long c)
{
    register unsigned long r0 __asm__("r0") = function;
    register unsigned long r1 __asm__("r1") = a;
    register unsigned long r2 __asm__("r2") = b;
    register unsigned long r3 __asm__("r3") = c;

    __asm__ volatile(".arch_extension virt\n\thvc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
    return (long)r0;
}

#endif
