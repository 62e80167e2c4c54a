/* handlers.c - what C does with a trap, and calls into user mode. */
#include <guest.h>

enum { USER_STACK = 8192 };
static trap_handler *handlers[TRAP_HANDLERS];
static char user_stack[MAX_VCPUS][USER_STACK] __attribute__((aligned(4096)));

void trap_set_handler(unsigned vector, trap_handler *handler)
{
    handlers[vector] = handler;
}

void trap_entry(struct regs *regs)
{
    struct percpu *cpu = this_cpu();

    if (regs->vector < TRAP_HANDLERS && handlers[regs->vector] && handlers[regs->vector](regs))
        return;
    if (regs->vector == TRAP_SYSCALL && cpu->in_user && regs->ax == USER_EXIT) {
        cpu->user_result = regs->di;
        context_restore(&cpu->user_exit, 1);
    }
    if (!arch_interrupt(regs) && !fault_expected(regs))
        fault_unexpected(regs);
}

unsigned long user_call(unsigned long (*fn)(unsigned long), unsigned long arg)
{
    struct percpu *cpu = this_cpu();
    struct context *outer = cpu->recover;
    unsigned long kept_away = arch_user_begin();

    cpu->user_result = 0;
    if (context_save(&cpu->user_exit) == 0) {
        unsigned long *top = (unsigned long *)(user_stack[cpu->id] + USER_STACK) - 3;

        top[0] = (unsigned long)user_return;
        top[1] = arg;                                   /* where 32-bit code looks for it */
        cpu->recover = &cpu->user_exit;
        WRITE_ONCE(cpu->in_user, true);
        user_enter((unsigned long)fn, (unsigned long)top, arg, X86_EFLAGS_IF);
    }
    cpu->in_user = false;
    cpu->recover = outer;
    arch_user_end(kept_away);
    return cpu->user_result;
}
