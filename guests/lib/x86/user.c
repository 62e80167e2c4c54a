/* user.c - how a user function begins and ends: handlers.h. */
#include <guest.h>

unsigned long arch_user_stack(unsigned long *top, unsigned long arg)
{
    top[-3] = (unsigned long)user_return;
    top[-2] = arg;                                      /* where 32-bit code looks for it */
    return (unsigned long)(top - 3);
}

bool arch_user_exit(const struct regs *regs, unsigned long *result)
{
    if (regs->ax != USER_EXIT)
        return false;
    *result = regs->di;
    return true;
}
