/* regs.h - what every 64-bit environment has: registers on the stack, contexts, the vcpu's own area, hypercalls.
 * Included by arch.h, which says before what differs: PERCPU_SIZE and HYPERCALL_INSN.
 */
#ifndef GUEST_X86_64_REGS_H
#define GUEST_X86_64_REGS_H

#define ARCH_ASM_WORD ".quad"
#define ARCH_STACK_POINTER "rsp"
#define ARCH_ACCUMULATOR "rax"
#define ARCH_KEPT "r12"                  /* a register that C wants back, and asm operands need not */
#include <vectors.h>

#ifndef __ASSEMBLER__
#include <x86.h>
#include <faults.h>

/* What the entry stubs build on the stack: frame.h knows this layout. */
struct regs {
    uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    uint64_t vector, error;
    uint64_t ip;
    uint16_t cs, pad0;
    uint8_t upcall_mask, pad1[3];       /* PV's; zero on a whole processor */
    uint64_t flags, sp, ss;
};
void arch_print_regs(const struct regs *regs);

/* Callee-saved registers: setjmp and longjmp by other names. */
struct context {
    uint64_t bx, bp, r12, r13, r14, r15, sp, ip;
};
int context_save(struct context *context) __attribute__((returns_twice));
void context_restore(struct context *context, int value) __attribute__((noreturn));

#include <percpu.h>

extern char hypercall_page[4096];

static inline long arch_hypercall(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                                  unsigned long e)
{
    register unsigned long r10 __asm__("r10") = d;
    register unsigned long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("call *%[slot]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     : [slot] "r"(hypercall_page + (nr & 63) * 32)
                     : "rcx", "r11", "r9", "memory", "cc");
    return result;
}

static inline long arch_hypercall_inline(unsigned long nr, unsigned long a, unsigned long b, unsigned long c,
                                         unsigned long d, unsigned long e)
{
    register unsigned long r10 __asm__("r10") = d;
    register unsigned long r8 __asm__("r8") = e;
    long result = (long)nr;

    __asm__ volatile(HYPERCALL_INSN
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "r9", "memory", "cc");
    return result;
}
#endif
#endif
