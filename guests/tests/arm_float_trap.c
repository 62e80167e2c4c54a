/* @title  floating point that is switched off
 * @fact   CPACR takes floating point and vectors from user mode, or from everybody: AArch64 has a class for that, in AArch32 they are
 *         undefined, as they are while FPEXC does not enable them
 * @source Arm DDI 0487, CPACR_EL1.FPEN, ESR_EL1 (EC 0x07); DDI 0406C, B1.11.1, B4.1.40
 * @env    arm64 arm32
 */
#include <guest.h>

enum { NOBODY = 0, KERNEL = 1, ALSO_NOBODY = 2, EVERYBODY = 3, FIELD_AT = 20 };

#ifdef __aarch64__
#define EXPECTED EC_FP
#define SYNDROME 0x1e00000              /* CV, COND 0xe */
#define SCALAR ".arch_extension fp\n\t" FAULTING("fmov d0, d1")
#define VECTOR ".arch_extension simd\n\t" FAULTING("ld1 {v0.16b}, [%0]")
#define CONTROL ".arch_extension fp\n\t" FAULTING("mrs x1, fpcr")
#define KEPT "x1", "memory"
static void allow(unsigned who)
{
    sysreg_write(cpacr_el1, (uint64_t)who << FIELD_AT);
    arch_isb();
}
#else
#define EXPECTED EC_UNKNOWN
#define SYNDROME 0
#define SCALAR ".fpu neon\n\t" FAULTING("vmov.f64 d0, d1")
#define VECTOR ".fpu neon\n\t" FAULTING("vld1.8 {d0, d1}, [%0]")
#define CONTROL ".fpu neon\n\t" FAULTING("vmrs r1, fpscr")
#define KEPT "r1", "memory"
static void allow(unsigned who)
{
    cp15_write(0, 1, 0, 2, who << FIELD_AT | who << (FIELD_AT + 2));      /* cp10, cp11 */
    arch_isb();
}
#endif

static char data[16] __attribute__((aligned(16)));

static unsigned long user(unsigned long x)
{
    __asm__ volatile(SCALAR : : "r"(data) : KEPT);
    return x;
}

static void expect(struct fault *f, bool trapped)
{
    if (trapped)
        check_fault_iss(f, EXPECTED, SYNDROME);
    else
        check_no_fault(f);
}

static void expected(bool kernel, bool by_user)
{
    struct fault *f = fault_arm();

    __asm__ volatile(SCALAR : : "r"(data) : KEPT);
    expect(f, kernel);
    f = fault_arm();
    __asm__ volatile(VECTOR : : "r"(data) : KEPT);
    expect(f, kernel);
    f = fault_arm();
    __asm__ volatile(CONTROL : : "r"(data) : KEPT);
    expect(f, kernel);
    f = fault_arm();
    check_eq(user_call(user, 5), 5);
    expect(f, by_user);
}

void test_main(void)
{
    allow(EVERYBODY);
#ifndef __aarch64__
    expected(true, true);
    __asm__ volatile(".fpu neon\n\tvmsr fpexc, %0" : : "r"(1 << 30));
#endif
    expected(false, false);
    allow(KERNEL);
    expected(false, true);
    allow(NOBODY);
    expected(true, true);
    allow(EVERYBODY);
    expected(false, false);
#ifdef __aarch64__
    allow(ALSO_NOBODY);
    expected(true, true);
    allow(EVERYBODY);
#endif
}
