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
    if (regs->vector == TRAP_SYSCALL && cpu->in_user && arch_user_exit(regs, &cpu->user_result))
        context_restore(&cpu->user_exit, 1);
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
        unsigned long sp = arch_user_stack((unsigned long *)(user_stack[cpu->id] + USER_STACK), arg);

        cpu->recover = &cpu->user_exit;
        WRITE_ONCE(cpu->in_user, true);
        user_enter((unsigned long)fn, sp, arg, USER_FLAGS);
    }
    cpu->in_user = false;
    cpu->recover = outer;
    arch_user_end(kept_away);
    return cpu->user_result;
}
