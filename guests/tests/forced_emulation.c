/* @title  the forced emulation prefix
 * @fact   with it switched on, "ud2; xen" in front of an instruction is passed over in every ring: the instruction does what it
 *         does, its exceptions are reported behind the prefix, several prefixes are as good as one; UD2 alone is still #UD
 * @source xen/arch/x86/hvm/hvm.c (hvm_ud_intercept), docs/misc/xen-command-line.pandoc (hvm_fep)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @fep    on
 */
#include <guest.h>

#define FEP "ud2\n\t.ascii \"xen\"\n\t"

static unsigned long user_forced(unsigned long x)
{
    __asm__ volatile(FEP "add $5, %0" : "+r"(x) : : "cc");
    return x;
}
static unsigned long user_cli(unsigned long x) { __asm__ volatile(FEP "cli" : : : "memory"); return x; }

static bool stepped;
static unsigned long step_ip;
static bool on_debug(struct regs *r)
{
    stepped = true;
    step_ip = r->ip;
    r->flags &= ~(unsigned long)X86_EFLAGS_TF;
    return true;
}
void forced_next(void);

void test_main(void)
{
    struct fault *f = fault_arm();
    unsigned long value = 0, memory = 0x1111;
    struct cpuid c = x86_cpuid(0, 0);
    uint32_t a = 0, b, d, e = 0;

    __asm__ volatile(FEP "mov $0x1234, %0" : "=r"(value));
    check_eq(value, 0x1234);
    __asm__ volatile(FEP FEP FEP "addl $0x2222, %0" : "+m"(memory) : : "cc");
    check_eq(memory, 0x3333);
    __asm__ volatile(FEP "cpuid" : "+a"(a), "=b"(b), "+c"(e), "=d"(d));
    check(a == c.eax && b == c.ebx && e == c.ecx && d == c.edx);
    __asm__ volatile(FEP "jmp 1f\n\tmov $1, %0\n1:" : "+r"(value));
    check_eq(value, 0x1234);
    check_no_fault(f);

    f = fault_arm();
    __asm__ volatile(FEP FAULTING("ud2"));
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FEP FAULTING("mov %w0, %%fs") : : "r"(0x7f8));
    check_fault(f, X86_EXC_GP, 0x7f8);
    check(!f->behind);
    f = fault_arm();
    __asm__ volatile(FEP FAULTING("int3"));
    check_fault(f, X86_EXC_BP, 0);
    check(f->behind);
    f = fault_arm();
    __asm__ volatile(FAULTING_SKIP("ud2\n\t.ascii \"xeN\"", "772b"));
    check_fault(f, X86_EXC_UD, 0);

    check_eq(user_call(user_forced, 37), 42);
    f = fault_arm();
    user_call(user_cli, 0);
    check_fault(f, X86_EXC_GP, 0);
    check_eq(*(uint8_t *)f->ip, 0xfa);
    check_eq(f->cs, USER_CS);

    trap_set_handler(X86_EXC_DB, on_debug);
    __asm__ volatile("pushf\n\torl $0x100, (%%" ARCH_STACK_POINTER ")\n\tpopf\n\t" FEP "nop\nforced_next:\tnop" : : : "memory", "cc");
    check(stepped);
    check_eq(step_ip, (unsigned long)forced_next);
}
