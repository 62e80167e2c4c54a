/* @title  user mode
 * @fact   the iret hypercall enters guest user mode, SYSCALL there enters the syscall callback on the kernel stack with
 *         the user's registers, and exceptions of the user arrive with CPL 3 in their frame
 * @source xen/include/public/arch-x86/xen-x86_64.h (iret_context, stack_switch), callback.h
 * @env    pv64 pv64low
 */
#include <guest.h>

static struct regs seen;
static unsigned calls;
static unsigned long handler_sp;

static bool on_syscall(struct regs *regs)
{
    if (regs->ax != 0x777)
        return false;
    seen = *regs;
    calls++;
    handler_sp = (unsigned long)regs;
    regs->ax = 0x888;
    regs->dx = 0x999;
    return true;
}

static unsigned long user_twice(unsigned long x)
{
    return 2 * x;
}

static unsigned long user_flags(unsigned long x)
{
    return x86_flags() | (unsigned long)x86_cs() << 32;
}

static unsigned long user_syscall(unsigned long x)
{
    register unsigned long r10 __asm__("r10") = 10, r9 __asm__("r9") = 9, r15 __asm__("r15") = 15;
    unsigned long ax = 0x777, dx = 3, di = x;

    __asm__ volatile("syscall" : "+a"(ax), "+d"(dx), "+D"(di), "+r"(r10), "+r"(r9), "+r"(r15) : : "rcx", "r11", "memory");
    return ax == 0x888 && dx == 0x999 && di == x && r10 == 10 && r9 == 9 && r15 == 15;
}

static unsigned long user_fault(unsigned long x)
{
    __asm__ volatile("ud2");
    return x;
}

static unsigned long user_privileged(unsigned long x)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(x) : "memory");
    return x;
}

void test_main(void)
{
    struct fault *f = fault_arm();

    check_eq(user_call(user_twice, 21), 42);
    check_no_fault(f);

    unsigned long state = user_call(user_flags, 0);
    check(state & X86_EFLAGS_IF);
    check_eq(state & X86_EFLAGS_IOPL, 0);
    check_eq(state >> 32, FLAT_USER_CS);

    trap_set_handler(TRAP_SYSCALL, on_syscall);
    check_eq(user_call(user_syscall, 0x1357), 1);
    check_eq(calls, 1);
    check_eq(seen.di, 0x1357);
    check_eq(seen.dx, 3);
    check_eq(seen.r10, 10);
    check_eq(seen.r9, 9);
    check_eq(seen.r15, 15);
    check_eq(seen.cs & 3, 3);
    check_eq(seen.cx, seen.ip);              /* SYSCALL leaves the return address in rcx ... */
    check_eq(seen.r11, seen.flags);          /* ... and the flags in r11 */
    /* On the stack that stack_switch named. */
    check(handler_sp < (unsigned long)this_cpu() + TRAP_STACK_END);
    check(handler_sp > (unsigned long)this_cpu());
    check(handler_sp > (unsigned long)this_cpu() + TRAP_STACK_END - 512);

    f = fault_arm();
    user_call(user_fault, 0);
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->cs & 3, 3);
    check_eq(f->cs & ~3u, FLAT_USER_CS & ~3);

    f = fault_arm();
    user_call(user_privileged, 0);
    check_fault(f, X86_EXC_GP, 0);
    check_eq(f->cs & 3, 3);

    /* Back in the guest kernel: SYSCALL is a hypercall again. */
    check_eq(hcall(xen_version, 0, 0) >> 16, 4);
}
