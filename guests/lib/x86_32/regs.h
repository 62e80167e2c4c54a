/* regs.h - what every 32-bit environment has: registers on the stack, contexts, hypercalls.
 * Included by arch.h, which says before what differs: PERCPU_SIZE and HYPERCALL_INSN.
 */
#ifndef GUEST_X86_32_REGS_H
#define GUEST_X86_32_REGS_H

#define ARCH_ASM_WORD ".long"
#define ARCH_STACK_POINTER "esp"
#define ARCH_ACCUMULATOR "eax"
#define ARCH_KEPT "esi"                  /* a register that C wants back, and asm operands need not */
#include <vectors.h>

#ifndef __ASSEMBLER__
#include <x86.h>
#include <faults.h>

/* What the entry stubs build on the stack: frame.h knows this layout. sp and ss are there from ring 0, too. */
struct regs {
    unsigned long gs, fs, es, ds;
    unsigned long di, si, bp, bx, dx, cx, ax;
    unsigned long vector, error;
    unsigned long ip;
    uint16_t cs;
    uint8_t upcall_mask, pad;           /* PV's; zero on a whole processor */
    unsigned long flags, sp, ss;
    unsigned long vm_es, vm_ds, vm_fs, vm_gs;   /* in a frame from virtual-8086 mode only */
};
void arch_print_regs(const struct regs *regs);

/* Callee-saved registers: setjmp and longjmp by other names. */
struct context {
    unsigned long bx, bp, si, di, sp, ip;
};
int context_save(struct context *context) __attribute__((returns_twice));
void context_restore(struct context *context, int value) __attribute__((noreturn));

#include <percpu.h>

extern char hypercall_page[4096];

static inline long arch_hypercall(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                                  unsigned long e)
{
    long result = (long)(hypercall_page + (nr & 63) * 32);

    __asm__ volatile("call *%0"
                     : "+a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d), "+D"(e)
                     :
                     : "memory", "cc");
    return result;
}

static inline long arch_hypercall_inline(unsigned long nr, unsigned long a, unsigned long b, unsigned long c,
                                         unsigned long d, unsigned long e)
{
    long result = (long)nr;

    __asm__ volatile(HYPERCALL_INSN
                     : "+a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d), "+D"(e)
                     :
                     : "memory", "cc");
    return result;
}
#endif
#endif
