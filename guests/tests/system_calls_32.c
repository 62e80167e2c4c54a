/* @title  SYSENTER and SYSCALL in protected mode
 * @fact   SYSENTER goes to the MSRs' ring 0 with interrupts off, SYSEXIT back to ring 3; both are #GP(0) while the MSR holds no
 *         selector, SYSEXIT outside of ring 0 too; SYSCALL goes to STAR with ECX behind it, SYSRET back; without SCE it is undefined
 * @source Intel SDM vol. 2 SYSENTER, SYSEXIT; AMD64 APM vol. 2, 6.1.1, vol. 3 SYSCALL, SYSRET (legacy mode)
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { SYSENTER_CS = 0x174, SYSENTER_ESP = 0x175, SYSENTER_EIP = 0x176, EFER = (int)0xc0000080, STAR = (int)0xc0000081, SCE = 1 };
void from_sysenter(void), from_syscall(void);
uint32_t seen_esp, seen_cs, seen_ss, seen_flags, seen_ecx, user_cs, user_ss, user_flags;
static char stack[256] __attribute__((aligned(16)));

/* SYSENTER and SYSCALL note what they find and go back to ring 3. */
__asm__(".text\nfrom_sysenter:\n\tmov %esp, seen_esp\n\tpushf\n\tpop seen_flags\n\tmov %cs, seen_cs\n\tmov %ss, seen_ss\n\tsysexit\n"
        "from_syscall:\n\tmov %ecx, seen_ecx\n\tmov %cs, seen_cs\n\tmov %ss, seen_ss\n\tmov %esp, seen_esp\n\tlea stack_top, %esp\n\tpushf\n\tpop seen_flags\n\t"
        "mov seen_esp, %esp\n\tsysret\n");
__asm__(".bss\n\t.balign 16\n\t.skip 64\nstack_top:\n\t.skip 4\n.text\n");

static unsigned long user_sysenter(unsigned long x)
{
    __asm__ volatile("pushf\n\tmov %%esp, %%ecx\n\tmov $1f, %%edx\n\tsysenter\n1:\tmov %%cs, user_cs\n\tmov %%ss, user_ss\n\tpopf"
                     : : : "ecx", "edx", "memory", "cc");
    return x + 1;
}
static unsigned long user_syscall(unsigned long x)
{
    __asm__ volatile("mov $0, %%edx\n\tsyscall\n1:\tmov %%cs, user_cs\n\tmov %%ss, user_ss\n\tpushf\n\tpop user_flags\n\tmov $1b, %%edx\n\tsub seen_ecx, %%edx\n\tmov %%edx, %0"
                     : "=m"(seen_esp) : : "ecx", "edx", "memory", "cc");
    return x + 1;
}
static unsigned long bare_sysenter(unsigned long x) { __asm__ volatile("sysenter" : : : "ecx", "edx", "memory"); return x; }
static unsigned long bare_sysexit(unsigned long x) { __asm__ volatile("sysexit" : : : "ecx", "edx", "memory"); return x; }
static unsigned long bare_syscall(unsigned long x) { __asm__ volatile("syscall" : : : "ecx", "memory"); return x; }
static unsigned long bare_sysret(unsigned long x) { __asm__ volatile("sysret" : : : "ecx", "memory"); return x; }

static void user_refused(unsigned long (*fn)(unsigned long), unsigned vector)
{
    struct fault *f = fault_arm();

    user_call(fn, 0);
    check_fault(f, vector, 0);
    check_eq(f->cs, USER_CS);
}

void test_main(void)
{
    struct fault *f = fault_arm();

    check(x86_cpuid(1, 0).edx & 1 << 11);                        /* SEP */
    wrmsr(SYSENTER_CS, 0);
    user_refused(bare_sysenter, X86_EXC_GP);
    user_refused(bare_sysexit, X86_EXC_GP);
    f = fault_arm();
    __asm__ volatile(FAULTING("sysexit") : : "c"(0), "d"(0));
    check_fault(f, X86_EXC_GP, 0);

    wrmsr(SYSENTER_CS, KERNEL_CS);
    wrmsr(SYSENTER_ESP, (unsigned long)(stack + sizeof(stack)));
    wrmsr(SYSENTER_EIP, (unsigned long)from_sysenter);
    f = fault_arm();
    check_eq(user_call(user_sysenter, 3), 4);
    check_no_fault(f);
    check_eq(seen_esp, (unsigned long)(stack + sizeof(stack)));
    check_eq(seen_cs & 0xffff, KERNEL_CS);
    check_eq(seen_ss & 0xffff, KERNEL_SS);
    check(!(seen_flags & X86_EFLAGS_IF));
    check_eq(user_cs & 0xffff, KERNEL_CS + 16 + 3);
    check_eq(user_ss & 0xffff, KERNEL_CS + 24 + 3);
    user_refused(bare_sysexit, X86_EXC_GP);

    uint64_t efer = rdmsr((uint32_t)EFER);
    wrmsr((uint32_t)EFER, efer & ~(uint64_t)SCE);
    user_refused(bare_syscall, X86_EXC_UD);
    user_refused(bare_sysret, X86_EXC_UD);
    wrmsr((uint32_t)EFER, efer | SCE);
    wrmsr((uint32_t)STAR, (uint64_t)(KERNEL_SS | 3) << 48 | (uint64_t)KERNEL_CS << 32 | (uint32_t)from_syscall);
    f = fault_arm();
    check_eq(user_call(user_syscall, 3), 4);
    check_no_fault(f);
    check_eq(seen_esp, 0);                                       /* ECX was behind SYSCALL */
    check_eq(seen_cs & 0xffff, KERNEL_CS);
    check_eq(seen_ss & 0xffff, KERNEL_SS);
    check(!(seen_flags & X86_EFLAGS_IF));
    check_eq(user_cs & 0xffff, KERNEL_SS | 3);
    check_eq(user_ss & 0xffff, (KERNEL_SS | 3) + 8);
    check(user_flags & X86_EFLAGS_IF);
    user_refused(bare_sysret, X86_EXC_GP);
    wrmsr((uint32_t)EFER, efer);
}
