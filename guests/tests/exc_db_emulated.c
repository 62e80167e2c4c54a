/* @title  single step of emulated instructions
 * @fact   an instruction that the hypervisor executes for the guest traps behind itself when TF is set, with DR6.BS;
 *         one that it refuses is a #GP and no step
 * @source xen/arch/x86/pv/emulate.c (pv_emul_instruction_done); Intel SDM vol. 3A 17.3.1.4
 * @env    pv64
 */
#include <guest.h>

#define STEPPED(insn) \
    __asm__ volatile("pushf\n\torl %0, (%%rsp)\n\tpopf\n\t" FAULTING(insn) \
                     : : "i"(X86_EFLAGS_TF) : "rax", "rbx", "rcx", "rdx", "memory", "cc")

static unsigned long step_flags;

static bool on_debug(struct regs *regs)
{
    step_flags = regs->flags;
    regs->flags &= ~(uint64_t)X86_EFLAGS_TF;
    return false;
}

static void stepped(struct fault *f)
{
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check(step_flags & X86_EFLAGS_TF);
    check_eq(hcall(get_debugreg, 6) & 0xe00f, 0x4000);
    check_eq(hcall(set_debugreg, 6, 0), 0);
}

void test_main(void)
{
    struct fault *f = fault_arm();

    trap_set_handler(X86_EXC_DB, on_debug);
    trap_set_handler(X86_EXC_GP, on_debug);
    check_eq(hcall(set_debugreg, 6, 0), 0);
    STEPPED("mov %%cr0, %%rax");
    stepped(f);
    f = fault_arm();
    STEPPED("ud2\n\t.ascii \"xen\"\n\tcpuid");
    stepped(f);
    f = fault_arm();
    STEPPED("wbinvd");
    stepped(f);

    f = fault_arm();
    STEPPED("hlt");
    check_fault(f, X86_EXC_GP, 0);
    check(!f->behind);
    check_eq(hcall(get_debugreg, 6) & 0x4000, 0);
}
