/* @title  #DB by single step and by INT1
 * @fact   TF traps behind the next instruction and is clear in the handler's frame of flags; INT1 traps behind itself
 * @source Intel SDM vol. 3A 17.3.1.4 (single step), vol. 2A INT1; xen/include/public/arch-x86/xen-x86_64.h
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

static unsigned long step_flags, handler_flags;

static bool on_debug(struct regs *regs)
{
    step_flags = regs->flags;
    handler_flags = x86_flags();
    regs->flags &= ~(unsigned long)X86_EFLAGS_TF;
    return false;
}

void test_main(void)
{
    struct fault *f = fault_arm();

    trap_set_handler(X86_EXC_DB, on_debug);
    /* popf itself does not trap: the trap comes behind the instruction after it. */
    __asm__ volatile("pushf\n\torl %0, (%%" ARCH_STACK_POINTER ")\n\tpopf\n\t" FAULTING("nop") : : "i"(X86_EFLAGS_TF) : "memory", "cc");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check(step_flags & X86_EFLAGS_TF);
    check(!(handler_flags & X86_EFLAGS_TF));
    check(!(x86_flags() & X86_EFLAGS_TF));

    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf1") : : : "memory");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
}
