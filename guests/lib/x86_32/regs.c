/* regs.c - registers as text. */
#include <guest.h>

void arch_print_regs(const struct regs *r)
{
    printf("eax %08lx ebx %08lx ecx %08lx edx %08lx\n", r->ax, r->bx, r->cx, r->dx);
    printf("esi %08lx edi %08lx ebp %08lx esp %08lx\n", r->si, r->di, r->bp, r->sp);
    printf("ds %04lx es %04lx fs %04lx gs %04lx\n", r->ds, r->es, r->fs, r->gs);
}
