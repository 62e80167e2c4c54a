/* @title  undefined instructions on ARM
 * @fact   an undefined instruction is reported at itself, with class 0 and no syndrome, from the kernel and from user mode; so
 *         are registers that are not there, or not at this level, and calls of the hypervisor with a number that it has not
 * @source Arm DDI 0487, D1.10.4, D17.2.37; DDI 0406C, B1.9.5; xen/arch/arm/traps.c (do_trap_hvc_smccc, do_trap_smc)
 * @env    arm64 arm32
 */
#include <guest.h>

static unsigned long user_udf(unsigned long x)
{
    __asm__ volatile("udf #7");
    return x;
}

/* The last ones: HVC #1, HVC #0xea2, and of AArch64 SMC #1: no syndrome tells the number of an SMC in AArch32. */
#ifdef __aarch64__
static unsigned long user_kernel_register(unsigned long x)
{
    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(x));
    return x;
}
#define CASES(CASE) \
    CASE("udf #0") \
    CASE(".inst 0xffffffff") \
    CASE("mrs x0, s3_0_c5_c7_7") \
    CASE("mrs x0, s3_4_c1_c0_0") \
    CASE("msr s3_4_c1_c1_0, x0") \
    CASE("mrs x0, s3_6_c1_c1_0") \
    CASE("hvc #1") \
    CASE("hvc #0xea2") \
    CASE(".inst 0xd4000023")
#else
static unsigned long user_kernel_register(unsigned long x)
{
    __asm__ volatile("mrc p15, 0, %0, c2, c0, 0" : "=r"(x));
    return x;
}
#define CASES(CASE) \
    CASE("udf #0") \
    CASE(".inst 0xe7f7f7f7") \
    CASE("mrc p15, 7, r0, c15, c15, 7") \
    CASE("mrc p15, 4, r0, c1, c1, 0") \
    CASE(".inst 0xecb00f1e")    /* LDC p15, c0, [r0], #120: the bits of MRRC p15, 1, r0, r0, c14 but for some */ \
    CASE(".inst 0xed900f1e")    /* LDC p15, c0, [r0, #120] */ \
    CASE(".inst 0xeca0df02")    /* STC p15, c13, [r0], #8 */ \
    CASE(".inst 0xecb05e01")    /* LDC p14, c5, [r0], #4: the debug channel */ \
    CASE(".inst 0xe1400071") \
    CASE(".inst 0xe140ea72")
#endif

#define IN_KERNEL(insn) \
    f = fault_arm(); \
    __asm__ volatile(FAULTING(insn) : : : KEPT, "memory", "cc"); \
    check_fault_iss(f, EC_UNKNOWN, 0);
#ifdef __aarch64__
#define KEPT "x0"
#else
#define KEPT "r0"
#endif

static bool handled;
static unsigned long at;

static bool skip_it(struct regs *r)
{
    handled = true;
    at = (unsigned long)r->ip;
    r->ip += 4;
    return true;
}

void test_main(void)
{
    struct fault *f;

    CASES(IN_KERNEL)

    /* A handler that goes on behind it: the frame says where the instruction is. */
    trap_set_handler(EC_UNKNOWN, skip_it);
    check_eq(user_call(user_udf, 17), 17);
    check(handled);
    check(at - (unsigned long)user_udf < 64);
    trap_set_handler(EC_UNKNOWN, NULL);

    f = fault_arm();
    user_call(user_udf, 0);
    check_fault_iss(f, EC_UNKNOWN, 0);
    check_eq(f->flags & 0xf, 0);                        /* from user mode */
    f = fault_arm();
    user_call(user_kernel_register, 0);
    check_fault_iss(f, EC_UNKNOWN, 0);
}
