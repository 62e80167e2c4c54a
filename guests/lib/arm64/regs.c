/* regs.c (arm64) - registers as text; how a user function begins and ends (handlers.h). */
#include <guest.h>

void arch_print_regs(const struct regs *r)
{
    for (unsigned i = 0; i < 31; i++)
        printf("x%-2u %016lx%s", i, r->x[i], i % 4 == 3 || i == 30 ? "\n" : " ");
}

unsigned long arch_user_begin(void)
{
    return sysreg_read(daif);
}

void arch_user_end(unsigned long before)
{
    sysreg_write(daif, before);
}

unsigned long arch_user_stack(unsigned long *top, unsigned long arg)
{
    (void)arg;                                  /* it and the way back are in registers */
    return (unsigned long)top;
}

bool arch_user_exit(const struct regs *regs, unsigned long *result)
{
    if (regs->x[8] != USER_EXIT)
        return false;
    *result = regs->x[0];
    return true;
}
