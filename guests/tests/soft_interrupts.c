/* @title  INT n, INT3, INTO and INT1
 * @fact   from ring 0 and from ring 3: INT n, INT3 and INTO obey the gate's DPL, INT1 does not; each is behind itself when it
 *         got through and at itself when not; INT n pushes no error code whatever its number; INTO is undefined in 64-bit code
 * @source Intel SDM vol. 2A INT n/INTO/INT3/INT1, vol. 3A 6.3.3, 6.4.4
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

#define USER_FN(name, insn) \
    static unsigned long name(unsigned long x) { __asm__ volatile(insn : : : "ax", "memory", "cc"); return x + 1; }
USER_FN(user_int3, "int3")
USER_FN(user_int_3, ".byte 0xcd, 3")
USER_FN(user_int1, ".byte 0xf1")
USER_FN(user_int_1, ".byte 0xcd, 1")
USER_FN(user_int13, ".byte 0xcd, 13")
#ifndef __x86_64__
USER_FN(user_into, "movb $0x7f, %%al\n\taddb $1, %%al\n\tinto")
USER_FN(user_into_not, "xor %%eax, %%eax\n\tinto")
#endif

static void user(unsigned long (*fn)(unsigned long), unsigned vector, unsigned long error, uint8_t at_byte, int back)
{
    struct fault *f = fault_arm();

    user_call(fn, 0);
    check_fault(f, vector, error);
    check_eq(f->cs, USER_CS);
    check_eq(((uint8_t *)f->ip)[-back], at_byte);
}

/* An INT n with an exception's number, through a stub that expects no error code. */
static void no_error_code(void)
{
    struct gate *gp = trap_gate_address(X86_EXC_GP), old = *gp;
    struct fault *f = fault_arm();

    *gp = gate_make(0x90, 0xe0 | GATE_INTERRUPT);
    __asm__ volatile(FAULTING("int $13") : : : "memory");
    check_fault(f, 0x90, 0);
    check(f->behind);
    f = fault_arm();
    user_call(user_int13, 0);
    check_fault(f, 0x90, 0);
    check_eq(f->cs, USER_CS);
    *gp = old;
}

void test_main(void)
{
    struct fault *f;

    user(user_int3, X86_EXC_BP, 0, 0xcc, 1);
    user(user_int_3, X86_EXC_BP, 0, 0xcd, 2);
    trap_gate(X86_EXC_BP, 0, true);
    user(user_int3, X86_EXC_GP, EC_GATE(X86_EXC_BP), 0xcc, 0);
    user(user_int_3, X86_EXC_GP, EC_GATE(X86_EXC_BP), 0xcd, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("int3") : : : "memory");
    check_fault(f, X86_EXC_BP, 0);
    trap_gate(X86_EXC_BP, 3, true);

    user(user_int1, X86_EXC_DB, 0, 0xf1, 1);
    user(user_int_1, X86_EXC_GP, EC_GATE(X86_EXC_DB), 0xcd, 0);
    trap_gate(X86_EXC_DB, 0, false);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0xf1") : : : "memory");
    check(f->count == 1 && f->vector == X86_EXC_NP && (f->error & ~1UL) == EC_GATE(X86_EXC_DB));
    trap_gate(X86_EXC_DB, 0, true);

    no_error_code();
#ifdef __x86_64__
    f = fault_arm();
    __asm__ volatile("movb $0x7f, %%al\n\taddb $1, %%al\n\t" FAULTING(".byte 0xce") : : : "rax", "memory", "cc");
    check_fault(f, X86_EXC_UD, 0);
#else
    user(user_into, X86_EXC_OF, 0, 0xce, 1);
    trap_gate(X86_EXC_OF, 0, true);
    user(user_into, X86_EXC_GP, EC_GATE(X86_EXC_OF), 0xce, 0);
    f = fault_arm();
    check_eq(user_call(user_into_not, 5), 6);
    check_no_fault(f);
#endif
}
