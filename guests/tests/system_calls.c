/* @title  SYSCALL, SYSENTER and their returns in long mode
 * @fact   SYSCALL goes to LSTAR from 64-bit code and to CSTAR from compatibility mode, with RCX, R11 and the mask, and is undefined
 *         without EFER.SCE; SYSRET is #GP(0) outside of ring 0 and undefined without SCE; SYSENTER and SYSEXIT are undefined, as on
 *         AMD's processors; SYSRET goes to 32-bit code too
 * @source AMD64 APM vol. 2, 6.1.1, 6.1.2, vol. 3 SYSCALL, SYSRET, SYSENTER
 * @env    pvh64 hvm64
 */
#include <guest.h>

enum { EFER = (int)0xc0000080, SCE = 1 };
void trap_syscall(void), compat_entry(void), sysret32(void);
uint64_t compat_rcx, compat_r11, compat_cs, compat_ss, compat_flags, sysret_target;
static uint8_t code32[16] __attribute__((aligned(16)));

/* What CSTAR leads to: note, and go on as the library's entry. */
__asm__(".text\ncompat_entry:\n\tmov %rcx, compat_rcx(%rip)\n\tmov %r11, compat_r11(%rip)\n\tmov %cs, %ecx\n\tmov %rcx, compat_cs(%rip)\n\t"
        "mov %ss, %ecx\n\tmov %rcx, compat_ss(%rip)\n\tmov %rsp, %rcx\n\tmov syscall_stack(%rip), %rsp\n\tpushf\n\tpop compat_flags(%rip)\n\t"
        "mov %rcx, %rsp\n\tmov compat_rcx(%rip), %rcx\n\tjmp trap_syscall\n"
        "sysret32:\n\tmov sysret_target(%rip), %rcx\n\tpushf\n\tpop %r11\n\tsysretl\n");

static unsigned long user_syscall(unsigned long x)
{
    unsigned long rcx, r11;

    __asm__ volatile("syscall\n1:\tlea 1b(%%rip), %%rdx\n\tsub %%rcx, %%rdx\n\tmov %%rdx, %0\n\tmov %%r11, %1"
                     : "=r"(rcx), "=r"(r11) : "a"(x) : "rcx", "rdx", "r11", "memory");
    return rcx << 32 | (r11 & 0xffffffff);
}
#define USER_FN(name, insn) static unsigned long name(unsigned long x) { __asm__ volatile(insn : : : "rcx", "rdx", "r11", "memory"); return x; }
USER_FN(user_bare_syscall, "syscall")
USER_FN(user_sysret, "sysretq")
USER_FN(user_sysenter, "sysenter")
USER_FN(user_sysexit, "sysexit")

static unsigned calls;
static bool on_syscall(struct regs *r)
{
    if (r->ax == USER_EXIT)
        return false;
    calls++;
    check(!(x86_flags() & (X86_EFLAGS_IF | X86_EFLAGS_DF)));
    return true;
}

static void user_undefined(unsigned long (*fn)(unsigned long), unsigned vector)
{
    struct fault *f = fault_arm();

    user_call(fn, 0);
    check_fault(f, vector, 0);
    check_eq(f->cs, USER_CS);
}

static void enter32(void *unused)
{
    unsigned long sp = (unsigned long)this_cpu() + 0x3000;

    (void)unused;
    __asm__ volatile("pushq %0\n\tpushq %1\n\tpushq %2\n\tpushq %3\n\tpushq %4\n\tiretq"
                     : : "i"(USER_SS), "r"(sp), "i"(X86_EFLAGS_IF | X86_EFLAGS_MBS), "i"(USER_CS32), "r"(code32), "a"(5) : "memory");
}

static bool end_compat(struct regs *r)
{
    (void)r;
    context_restore(this_cpu()->recover, 1);
}

static void compat(const uint8_t *bytes, size_t length)
{
    memcpy(code32, bytes, length);
    fault_arm();
    check(!fault_probe(enter32, NULL));
}

void test_main(void)
{
    struct fault *f;
    unsigned long result;

    arch_user_begin();                                           /* compat() has no user_call() to do that */
    trap_set_handler(TRAP_SYSCALL, on_syscall);
    result = user_call(user_syscall, 7);
    check_eq(calls, 1);
    check_eq(result >> 32, 0);                                   /* RCX: behind it */
    check(result & X86_EFLAGS_IF);
    check(!(result & X86_EFLAGS_RF));

    /* From compatibility mode. */
    static const uint8_t syscall[] = { 0x0f, 0x05 }, sysenter[] = { 0x0f, 0x34 };
    wrmsr(MSR_CSTAR, (uint64_t)compat_entry);
    trap_set_handler(TRAP_SYSCALL, end_compat);
    compat(syscall, sizeof(syscall));
    check_eq(compat_rcx, (unsigned long)code32 + 2);
    check(compat_r11 & X86_EFLAGS_IF);
    check_eq(compat_cs, KERNEL_CS);
    check_eq(compat_ss, KERNEL_SS);
    check(!(compat_flags & X86_EFLAGS_IF));
    trap_set_handler(TRAP_SYSCALL, NULL);
    f = &this_cpu()->fault;
    compat(sysenter, sizeof(sysenter));
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->ip, (unsigned long)code32);

    user_undefined(user_sysenter, X86_EXC_UD);
    user_undefined(user_sysexit, X86_EXC_UD);
    user_undefined(user_sysret, X86_EXC_GP);
    f = fault_arm();
    __asm__ volatile(FAULTING("sysenter"));
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("sysexit"));
    check_fault(f, X86_EXC_UD, 0);

    /* SYSRET to 32-bit code, which ends by an undefined instruction. */
    static const uint8_t ud2[] = { 0x0f, 0x0b };
    memcpy(code32, ud2, sizeof(ud2));
    sysret_target = (uint64_t)code32;
    f = fault_arm();
    check(!fault_probe((void (*)(void *))(void *)sysret32, NULL));
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->cs, USER_CS32);
    check_eq(f->ss, USER_SS);
    check_eq(f->ip, (unsigned long)code32);

    uint64_t efer = rdmsr((uint32_t)EFER);
    wrmsr((uint32_t)EFER, efer & ~(uint64_t)SCE);
    user_undefined(user_bare_syscall, X86_EXC_UD);
    f = fault_arm();
    __asm__ volatile(FAULTING("syscall") : : : "rcx", "r11", "memory");
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("sysretq") : : : "memory");
    check_fault(f, X86_EXC_UD, 0);
    wrmsr((uint32_t)EFER, efer);
}
