/* @title  illegal execution state
 * @fact   a return from an exception to a mode that there is not, or not below this one, goes to its address in the mode that was, with
 *         flags and masks restored and PSTATE.IL set; the first instruction there is reported, with IL in SPSR, and not executed
 * @source Arm DDI 0487, "Illegal exception returns from AArch64 state", ESR_EL1 (EC 0x0E)
 * @env    arm64
 */
#include <guest.h>

#define SPSR_IL (1 << 20)
#define SPSR_Z (1 << 30)
#define SPSR_MASKED 0x3c0

static volatile unsigned executed;

static void return_to(void *spsr)
{
    __asm__ volatile("adr x1, 1f\n\tmsr elr_el1, x1\n\tmsr spsr_el1, %0\n\tisb\n\teret\n\tb 2f\n"
                     "1:\tmov w2, #1\n\tstr w2, [%1]\n2:"
                     : : "r"(spsr), "r"(&executed) : "x1", "x2", "memory", "cc");
}

static void illegal(unsigned long mode)
{
    struct fault *f = fault_arm();

    executed = 0;
    fault_probe(return_to, (void *)(mode | SPSR_MASKED | SPSR_Z));
    check_fault_iss(f, EC_ILLEGAL, 0);
    check_eq(*(const uint32_t *)f->ip, 0x52800022);     /* mov w2, #1 */
    check_eq(f->flags, SPSR_IL | SPSR_Z | SPSR_MASKED | 5);
    check_eq(executed, 0);
}

static unsigned long user(unsigned long x) { return x + 1; }

static bool with_il(struct regs *r)
{
    r->flags |= SPSR_IL;
    trap_set_handler(EC_SVC64, NULL);
    return true;
}

static unsigned long user_call_again(unsigned long x)
{
    __asm__ volatile("svc #9" : : : "memory");
    return x;
}

void test_main(void)
{
    struct fault *f;

    illegal(9);                                         /* EL2h: higher */
    illegal(8);
    illegal(13);                                        /* EL3h */
    illegal(1);                                         /* EL0h: there is none */
    illegal(6);                                         /* reserved */
    illegal(0x13);                                      /* AArch32 at EL1, which is AArch64's */
    executed = 0;
    return_to((void *)(SPSR_MASKED | 5UL));             /* a good one */
    check_eq(executed, 1);

    /* A good return that carries IL along. */
    trap_set_handler(EC_SVC64, with_il);
    f = fault_arm();
    user_call(user_call_again, 3);
    check_fault_iss(f, EC_ILLEGAL, 0);
    check_eq(f->flags & (SPSR_IL | 0xf), SPSR_IL);
    check_eq(user_call(user, 3), 4);
}
