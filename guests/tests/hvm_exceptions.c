/* @title  exceptions of a whole processor
 * @fact   they come through the guest's own IDT, with the error codes of the manual; gates are checked as INT n asks for them
 * @source Intel SDM volume 3, 6.12, 6.13, 6.15
 * @env    pvh64 hvm64 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

static unsigned long user_int80(unsigned long x) { __asm__ volatile("int $0x80" : : : "memory"); return x + 1; }
static unsigned long user_int82(unsigned long x) { __asm__ volatile("int $0x82" : : : "memory"); return x; }
static unsigned long user_hlt(unsigned long x) { __asm__ volatile("hlt"); return x; }
static unsigned long user_plain(unsigned long x) { return x * 3; }

static unsigned seen80;
static bool on_int80(struct regs *r)
{
    seen80++;
    check_eq(r->cs & 3, 3);
    return true;
}

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("movb $0, (%0)") : : "r"(BAD_POINTER) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_write_access);
    check_eq(f->address, BAD_POINTER);

    f = fault_arm();
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, X86_EXC_UD, 0);

    f = fault_arm();
    __asm__ volatile(FAULTING("div %%cl") : : "a"(1), "c"(0) : "cc");
    check_fault(f, X86_EXC_DE, 0);

    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%ds") : : "r"(0x1234));
    check_fault(f, X86_EXC_GP, 0x1234);

    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr4") : : "r"(~0UL));
    check_fault(f, X86_EXC_GP, 0);

    f = fault_arm();
    __asm__ volatile(FAULTING("rdmsr") : : "c"(0x12345678) : "eax", "edx");
    check_fault(f, X86_EXC_GP, 0);

    f = fault_arm();
    __asm__ volatile(FAULTING("int3"));
    check_fault(f, X86_EXC_BP, 0);
    check(f->behind);

    trap_gate(0x90, 0, false);
    f = fault_arm();
    __asm__ volatile(FAULTING("int $0x90"));
    check_fault(f, X86_EXC_NP, EC_GATE(0x90));
    check(!f->behind);

    check_eq(user_call(user_plain, 14), 42);
    trap_set_handler(0x80, on_int80);
    check_eq(user_call(user_int80, 6), 7);
    check_eq(seen80, 1);
    f = fault_arm();
    user_call(user_int82, 0);
    check_fault(f, X86_EXC_GP, EC_GATE(0x82));
    check_eq(f->cs, USER_CS);
    f = fault_arm();
    user_call(user_hlt, 0);
    check_fault(f, X86_EXC_GP, 0);
}
