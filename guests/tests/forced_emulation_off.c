/* @title  no forced emulation prefix
 * @fact   unless it is switched on, "ud2; xen" is #UD at itself
 * @source xen/arch/x86/hvm/hvm.c (hvm_ud_intercept)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

static unsigned long user_forced(unsigned long x) { __asm__ volatile("ud2\n\t.ascii \"xen\"\n\tnop"); return x; }

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("ud2\n\t.ascii \"xen\"\n\tnop"));
    check_fault(f, X86_EXC_UD, 0);
    check(!f->behind);
    f = fault_arm();
    user_call(user_forced, 0);
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->cs, USER_CS);
}
