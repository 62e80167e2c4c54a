/* @title  breakpoints of a whole processor
 * @fact   DR0-DR3 on instructions are faults that RF in the frame lets pass once, on data traps behind the access; DR6 says which;
 *         DR7.GD makes MOV DR a fault with BD; DR4 and DR5 are DR6 and DR7 until CR4.DE makes them undefined; reserved bits
 * @source Intel SDM vol. 3B 17.2.1 - 17.2.5, 17.3.1.1 - 17.3.1.3, vol. 2 MOV (debug registers)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { L0 = 1, L1 = 4, L2 = 16, WRITE1 = 1 << 20, ACCESS2 = 3 << 24, LONG1 = 3 << 22, WORD2 = 1 << 26, GD = 1 << 13, BD = 1 << 13 };
enum { DR6_ONES = (int)0xffff0ff0, DR7_ONE = 0x400 };
static volatile uint32_t watched[4];
static unsigned hits;
static bool with_rf;
void here(void);
__asm__(".text\nhere:\n\tmov $7, %eax\n\tret\n");

static bool on_debug(struct regs *r)
{
    hits++;
    if (with_rf)
        r->flags |= X86_EFLAGS_RF;
    return with_rf;
}

static void call_here(void *unused) { (void)unused; __asm__ volatile("call here" : : : "eax", "memory"); }
static unsigned long user_dr(unsigned long x) { __asm__ volatile("mov %%dr0, %0" : "=r"(x)); return x; }

void test_main(void)
{
    struct fault *f = fault_arm();

    check_eq((uint32_t)read_dr7(), DR7_ONE);
    write_dr6(0);
    check_eq((uint32_t)read_dr6(), (uint32_t)DR6_ONES);
    trap_set_handler(X86_EXC_DB, on_debug);

    /* An instruction: without RF the same fault again, with it once. */
    write_dr0((unsigned long)here);
    write_dr7(DR7_ONE | L0);
    check(!fault_probe(call_here, NULL));
    check_fault(f, X86_EXC_DB, 0);
    check_eq(f->ip, (unsigned long)here);
    check(!(f->flags & X86_EFLAGS_RF));
    check_eq(read_dr6() & 0xf, 1);
    with_rf = true;
    hits = 0;
    call_here(NULL);
    call_here(NULL);
    check_eq(hits, 2);
    with_rf = false;

    /* Data. */
    write_dr1((unsigned long)&watched[1]);
    write_dr2((unsigned long)&watched[2] + 2);
    write_dr7(DR7_ONE | L1 | WRITE1 | LONG1 | L2 | ACCESS2 | WORD2);
    write_dr6(0);
    f = fault_arm();
    __asm__ volatile(FAULTING("movl $5, %0") : "=m"(watched[1]) : : "memory");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check_eq(watched[1], 5);
    check_eq(read_dr6() & 0xf, 2);
    f = fault_arm();
    __asm__ volatile(FAULTING("movl %0, %%eax") : : "m"(watched[1]) : "eax");
    check_no_fault(f);
    write_dr6(0);
    __asm__ volatile(FAULTING("movb %0, %%al") : : "m"(((volatile char *)watched)[11]) : "eax");
    check_fault(f, X86_EXC_DB, 0);
    check_eq(read_dr6() & 0xf, 4);
    write_dr6(0);
    f = fault_arm();
    __asm__ volatile("cld\n\t" FAULTING("rep stosl") : : "D"(watched), "c"(2), "a"(9) : "memory");
    check(f->count == 1 && f->vector == X86_EXC_DB);
    check_eq(read_dr6() & 0xf, 2);
    write_dr7(DR7_ONE);

    /* GD. */
    write_dr6(0);
    unsigned long got;

    write_dr7(DR7_ONE | GD);
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %%dr3, %0") : "=r"(got));
    check_fault(f, X86_EXC_DB, 0);
    check(!f->behind);
    check(read_dr6() & BD);
    check(!(read_dr7() & GD));

    f = fault_arm();
    user_call(user_dr, 0);
    check_fault(f, X86_EXC_GP, 0);

    unsigned long cr4 = read_cr4(), value = 0;
    write_dr6(0xf);
    write_cr4(cr4 & ~(unsigned long)X86_CR4_DE);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x0f, 0x21, 0xe0") : "=a"(value));      /* mov %dr4, %eax */
    check_no_fault(f);
    check_eq((uint32_t)value, (uint32_t)DR6_ONES | 0xf);
    write_cr4(cr4 | X86_CR4_DE);
    __asm__ volatile(FAULTING(".byte 0x0f, 0x21, 0xe0") : : : "eax");
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x0f, 0x23, 0xe8") : : "a"(0));         /* mov %eax, %dr5 */
    check_fault(f, X86_EXC_UD, 0);
    write_cr4(cr4);
#ifdef __x86_64__
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%dr7") : : "r"(1UL << 32));
    check_fault(f, X86_EXC_GP, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%dr6") : : "r"(1UL << 32));
    check_fault(f, X86_EXC_GP, 0);
#endif
}
