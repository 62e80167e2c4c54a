/* @title  illegal execution state
 * @fact   an exception return to a mode that cannot be sets PSTATE.IL: the next instruction is reported, with class 0x0E
 * @source Arm DDI 0487, D1.5.4, D1.11.2
 * @env    arm64
 */
#include <guest.h>

static void return_to(void *state)
{
    __asm__ volatile("adr x9, 1f\n\tmsr elr_el1, x9\n\tmsr spsr_el1, %0\n\teret\n1:\tnop"
                     : : "r"((unsigned long)state) : "x9", "memory");
}

void test_main(void)
{
    enum { IL = 1 << 20, MASKED = 0x3c0 };
    /* EL2 from EL1; EL1 with M[1] set; EL0 with SPSel; the IL bit itself. */
    static const unsigned long wrong[] = { 9 | MASKED, 6 | MASKED, 1 | MASKED, 5 | MASKED | IL };

    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct fault *f = fault_arm();

        check(!fault_probe(return_to, (void *)wrong[i]));
        check_fault_iss(f, EC_ILLEGAL, 0);
        check(f->flags & IL);
        check_eq(f->flags & 0xf, 5);                    /* the level did not change */
    }
    struct fault *f = fault_arm();

    check(fault_probe(return_to, (void *)(5UL | MASKED)));
    check_no_fault(f);
}
