/* vm86.h (hvm32) - run code in virtual-8086 mode, until its first exception. Facts: Intel SDM volume 3, 20.2.
 * fault_arm() before; afterwards the record says what it was, and vm86_regs what the processor pushed.
 */
#ifndef GUEST_HVM32_VM86_H
#define GUEST_HVM32_VM86_H
#include <stdint.h>
#include <text.h>

enum { VM86_SEGMENT = 0x9000, VM86_DATA = 0x9400, VM86_STACK = 0x9800, VM86_STACK_TOP = 0x1000 };
static struct regs vm86_regs;

/* To VM86_SEGMENT:0. `argument`: EFLAGS beside VM. */
static inline void vm86_enter(void *argument)
{
    const unsigned long *flags = argument;
    uint32_t ds = VM86_DATA, es = VM86_DATA + 1, fs = VM86_DATA + 2, gs = VM86_DATA + 3;

    __asm__ volatile("push %0\n\tpush %1\n\tpush %2\n\tpush %3\n\tpush %4\n\tpush %5\n\tpush %6\n\tpush %7\n\tpush $0\n\tiret"
                     : : "r"(gs), "r"(fs), "r"(ds), "r"(es), "i"(VM86_STACK), "i"(VM86_STACK_TOP),
                     "r"(*flags | X86_EFLAGS_VM | X86_EFLAGS_MBS), "i"(VM86_SEGMENT) : "memory");
}

static inline bool vm86_note(struct regs *regs)
{
    if (regs->flags & X86_EFLAGS_VM)
        vm86_regs = *regs;
    return false;
}

/* `code` at VM86_SEGMENT:0, with EFLAGS `flags` beside VM. */
static inline struct fault *vm86_run(const uint8_t *code, size_t length, unsigned long flags)
{
    struct fault *f = fault_arm();

    memcpy((void *)(VM86_SEGMENT << 4), code, length);
    for (unsigned vector = 0; vector < 32; vector++)
        trap_set_handler(vector, vm86_note);
    if (fault_probe(vm86_enter, &flags))
        broken("virtual-8086 mode was not entered");
    for (unsigned vector = 0; vector < 32; vector++)
        trap_set_handler(vector, NULL);
    return f;
}

#endif
