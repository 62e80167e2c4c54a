/* regs.c (arm32) - registers as text; how a user function begins and ends (handlers.h). */
#include <guest.h>

void arch_print_regs(const struct regs *r)
{
    for (unsigned i = 0; i < 13; i++)
        printf("r%-2u %08lx%s", i, (unsigned long)r->r[i], i % 4 == 3 || i == 12 ? "\n" : " ");
}

unsigned long arch_user_begin(void)
{
    return cpsr_read();
}

void arch_user_end(unsigned long before)
{
    arch_interrupts_restore(before);
}

unsigned long arch_user_stack(unsigned long *top, unsigned long arg)
{
    (void)arg;                                  /* it and the way back are in registers */
    return (unsigned long)top;
}

bool arch_user_exit(const struct regs *regs, unsigned long *result)
{
    if (regs->r[7] != USER_EXIT)
        return false;
    *result = regs->r[0];
    return true;
}
