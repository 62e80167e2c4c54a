/* @title  addresses that are not canonical
 * @fact   data there is #GP(0), the stack #SS(0), whichever instruction; an access that only ends there too; a jump, call or return
 *         there is #GP(0) at itself, and nothing was pushed or popped; descriptor tables and MSRs cannot hold such an address; INVLPG
 *         ignores it
 * @source AMD64 APM vol. 1, 2.1.4, 3.5, vol. 2, 5.3.1, vol. 3 (JMP, CALL, RET, LGDT, WRMSR); Intel SDM vol. 1 3.3.7.1
 * @env    pvh64 hvm64
 */
#include <guest.h>

#define BAD 0x0000800000000000UL
#define LAST 0x00007ffffffffffcUL

#define OLD_STACK "mov %%r12, %%rsp\n\tmov %%r13, %%rbp"

static unsigned long sp_before, sp_after;

/* With another stack pointer, or frame pointer. */
#define STACK(insn, v) \
    do { \
        f = fault_arm(); \
        __asm__ volatile("mov %%rsp, %%r12\n\tmov %%rbp, %%r13\n\tmov %0, %%rsp\n\tmov %0, %%rbp\n\t" insn \
                         : : "r"(BAD + 0x100) : "rax", "r12", "r13", "memory", "cc"); \
        check_fault(f, v, 0); \
    } while (0)

/* The processor delivers on the stack that it has, were it not that this is no address: so #GP and #SS come on one of their own. */
static void on_own_stack(unsigned vector)
{
    struct gate *gate = trap_gate_address(vector);

    gate->ist = 1;
}

#define TRANSFER(insn) \
    do { \
        f = fault_arm(); \
        __asm__ volatile("mov %%rsp, %0\n\tpush %2\n\t" FAULTING(insn) "mov %%rsp, %1\n\tadd $8, %%rsp" \
                         : "=m"(sp_before), "=m"(sp_after) : "a"(BAD) : "memory", "cc"); \
        check_fault(f, X86_EXC_GP, 0); \
        check(!f->behind); \
        check_eq(sp_after, sp_before - 8); \
    } while (0)

static void pointer_refused(bool idt, unsigned long base)
{
    struct table_pointer pointer = { 0xff, base };
    struct fault *f = fault_arm();

    if (idt)
        __asm__ volatile(FAULTING("lidt %0") : : "m"(pointer));
    else
        __asm__ volatile(FAULTING("lgdt %0") : : "m"(pointer));
    check_fault(f, X86_EXC_GP, 0);
}

void test_main(void)
{
    static const uint32_t msrs[] = { 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000082, 0xc0000083, 0x175, 0x176 };
    struct fault *f;

    for (unsigned long at = BAD; at != 0; at = at == BAD ? 0xffff7ffffffffff8UL : 0) {
        f = fault_arm();
        __asm__ volatile(FAULTING("mov (%0), %%rax") : : "r"(at) : "rax");
        check_fault(f, X86_EXC_GP, 0);
        f = fault_arm();
        __asm__ volatile(FAULTING("incq (%0)") : : "r"(at) : "memory", "cc");
        check_fault(f, X86_EXC_GP, 0);
        f = fault_arm();
        __asm__ volatile(FAULTING("stosq") : : "D"(at), "a"(0) : "memory");
        check_fault(f, X86_EXC_GP, 0);
        f = fault_arm();
        __asm__ volatile(FAULTING("fxsave (%0)") : : "r"(at & ~15UL) : "memory");
        check_fault(f, X86_EXC_GP, 0);
        f = fault_arm();
        __asm__ volatile(FAULTING("movups (%0), %%xmm0") : : "r"(at) : "memory");
        check_fault(f, X86_EXC_GP, 0);
        f = fault_arm();
        __asm__ volatile(FAULTING("lock cmpxchg16b (%0)") : : "r"(at & ~15UL), "a"(0), "d"(0), "b"(0), "c"(0) : "memory", "cc");
        check_fault(f, X86_EXC_GP, 0);
        f = fault_arm();
        __asm__ volatile(FAULTING("invlpg (%0)") : : "r"(at) : "memory");
        check_no_fault(f);
    }
    /* The first bytes are not there: #PF would be as right; the last ones are not canonical. */
    f = fault_arm();
    __asm__ volatile(FAULTING("mov (%0), %%rax") : : "r"(LAST) : "rax");
    check(f->count == 1 && ((f->vector == X86_EXC_GP && f->error == 0) || (f->vector == X86_EXC_PF && f->address == LAST)));

    on_own_stack(X86_EXC_SS);
    on_own_stack(X86_EXC_GP);
    STACK(FAULTING("push %%rax") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("pop %%rax") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("pushf") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("mov (%%rsp), %%eax") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("mov %%eax, 8(%%rbp)") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("mov %%ds:(%%rbp), %%eax") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("leave") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("enter $8, $0") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("ret") OLD_STACK, X86_EXC_SS);
    STACK(FAULTING("iretq") OLD_STACK, X86_EXC_SS);
    ((struct gate *)trap_gate_address(X86_EXC_GP))->ist = 0;

    TRANSFER("jmp *%%rax");
    TRANSFER("jmp *(%%rsp)");
    TRANSFER("call *%%rax");
    TRANSFER("call *(%%rsp)");
    TRANSFER("ret");
    TRANSFER("ret $16");

    pointer_refused(false, BAD);
    pointer_refused(true, BAD);
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        f = fault_arm();
        __asm__ volatile(FAULTING("wrmsr") : : "c"(msrs[i]), "a"((uint32_t)BAD), "d"((uint32_t)(BAD >> 32)));
        check_fault(f, X86_EXC_GP, 0);
    }
}
