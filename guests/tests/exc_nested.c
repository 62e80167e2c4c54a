/* @title  nested faults
 * @fact   a fault inside a handler is delivered on the same stack, and both are returned from in order
 * @source xen/include/public/arch-x86/xen-x86_64.h; xen/arch/x86/x86_64/entry.S (bounce frames)
 * @env    pv64
 */
#include <guest.h>

enum { DEEP = 20 };
static unsigned depth, deepest, returned;
static unsigned long stacks[DEEP + 1];

static bool on_invalid(struct regs *regs)
{
    stacks[depth] = regs->sp;
    regs->ip += 2;                            /* ud2 */
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (depth < DEEP)
        __asm__ volatile("ud2" : : : "memory");
    depth--;
    returned++;
    return true;
}

static bool on_divide(struct regs *regs)
{
    struct fault *f = &this_cpu()->fault;

    /* A page fault inside the handler of #DE. */
    __asm__ volatile(FAULTING("movb $0, (%0)") : : "r"(0x123UL) : "memory");
    check(f->vector == X86_EXC_PF && f->address == 0x123);
    regs->ip += 3;                            /* div %rcx */
    return true;
}

void test_main(void)
{
    unsigned long marker = 0x1234567;

    trap_set_handler(X86_EXC_UD, on_invalid);
    fault_arm();
    __asm__ volatile("ud2" : "+r"(marker) : : "memory");
    check_eq(deepest, DEEP);
    check_eq(returned, DEEP);
    check_eq(depth, 0);
    check_eq(marker, 0x1234567);
    for (unsigned i = 1; i < DEEP; i++)
        check(stacks[i] < stacks[i - 1]);

    trap_set_handler(X86_EXC_DE, on_divide);
    __asm__ volatile("div %%rcx" : : "a"(1UL), "c"(0UL), "d"(0UL) : "memory", "cc");
    check_eq(this_cpu()->fault.count, 1);
}
