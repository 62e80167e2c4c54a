/* @title  PC alignment
 * @fact   a branch to an address that is no multiple of 4 is reported at its target, with the address in FAR, from the kernel and from
 *         user mode, whether anything is mapped there or not
 * @source Arm DDI 0487, "PC alignment checking", ESR_EL1 (EC 0x22)
 * @env    arm64
 */
#include <guest.h>

static void leap(void *to) { ((void (*)(void))to)(); }

static unsigned long user(unsigned long to)
{
    ((void (*)(void))to)();
    return 0;
}

static void from_both(unsigned long to)
{
    struct fault *f = fault_arm();

    fault_probe(leap, (void *)to);
    check_fault_iss(f, EC_PC_ALIGN, 0);
    check_eq(f->far, to);
    check_eq(f->ip, to);
    check_eq(f->flags & 0xf, 5);                        /* EL1h */
    f = fault_arm();
    user_call(user, to);
    check_fault_iss(f, EC_PC_ALIGN, 0);
    check_eq(f->far, to);
    check_eq(f->ip, to);
    check_eq(f->flags & 0xf, 0);
}

void test_main(void)
{
    from_both((unsigned long)user + 2);
    from_both((unsigned long)user + 1);
    from_both(BAD_POINTER + 3);
}
