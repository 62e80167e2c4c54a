/* @title  flags on the way through a gate
 * @fact   an interrupt gate clears IF and a trap gate leaves it; both clear TF, NT and RF; the frame has RF for a fault, and
 *         not for a trap, a software interrupt or an interrupt
 * @source Intel SDM vol. 3A 6.12.1.2, 17.3.1.1, vol. 3A 6.8.1; AMD64 APM vol. 2, 8.9.3
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { N = 0x90, IPI = 0x91 };
static unsigned long inside, frame;

static bool look(struct regs *r)
{
    inside = x86_flags();
    frame = r->flags;
    r->flags &= ~(unsigned long)(X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_RF);
    return false;
}

static void watch(unsigned vector)
{
    (void)vector;
    inside = x86_flags();
}

static bool look_interrupt(struct regs *r)
{
    frame = r->flags;
    return false;
}

void test_main(void)
{
    struct gate *gate = trap_gate_address(N);
    const unsigned long with = X86_EFLAGS_IF | X86_EFLAGS_NT | X86_EFLAGS_MBS, cleared = X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_RF;
    unsigned long old = x86_flags();

    trap_set_handler(N, look);
    for (unsigned type = GATE_INTERRUPT; type <= GATE_TRAP; type++) {
        gate->type = (uint8_t)(0x80 | type);
        fault_arm();
        x86_set_flags(old | with);
        __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
        x86_set_flags(old);
        check_eq(!!(inside & X86_EFLAGS_IF), type == GATE_TRAP);
        check_eq(inside & cleared, 0);
        check_eq(frame & (with | X86_EFLAGS_RF | X86_EFLAGS_TF), with);
    }

    trap_set_handler(X86_EXC_UD, look);
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, X86_EXC_UD, 0);
    check(frame & X86_EFLAGS_RF);
    check_eq(inside & cleared, 0);
    trap_set_handler(X86_EXC_GP, look);
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%ds") : : "r"(0x7f8));
    check_fault(f, X86_EXC_GP, 0x7f8);
    check(frame & X86_EFLAGS_RF);

    trap_set_handler(X86_EXC_BP, look);
    f = fault_arm();
    __asm__ volatile(FAULTING("int3"));
    check_fault(f, X86_EXC_BP, 0);
    check(!(frame & X86_EFLAGS_RF));

    trap_set_handler(X86_EXC_DB, look);
    f = fault_arm();
    __asm__ volatile("pushf\n\torl %0, (%%" ARCH_STACK_POINTER ")\n\tpopf\n\t" FAULTING("nop") : : "i"(X86_EFLAGS_TF) : "memory", "cc");
    check_fault(f, X86_EXC_DB, 0);
    check(frame & X86_EFLAGS_TF);
    check(!(frame & X86_EFLAGS_RF));
    check_eq(inside & cleared, 0);

    trap_set_handler(IPI, look_interrupt);
    interrupt_watch(IPI, watch);
    frame = X86_EFLAGS_RF;
    apic_send(0, ICR_SELF | IPI);
    check(interrupt_wait(IPI, 1, 1000000));
    check(frame & X86_EFLAGS_IF);
    check(!(frame & X86_EFLAGS_RF));
    check(!(inside & X86_EFLAGS_IF));
}
