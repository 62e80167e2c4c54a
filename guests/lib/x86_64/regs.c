/* regs.c - registers as text. */
#include <guest.h>

void arch_print_regs(const struct regs *r)
{
    printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->ax, r->bx, r->cx, r->dx);
    printf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->si, r->di, r->bp, r->sp);
    printf("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
    printf("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
}
