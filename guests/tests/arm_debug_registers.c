/* @title  debug registers on ARM
 * @fact   the OS lock is there and can be unlocked; breakpoints, watchpoints and the debug control register are there, take nothing
 *         and read as zero; user mode reaches none of them
 * @source xen/arch/arm/arm64/vsysreg.c (do_sysreg), xen/arch/arm/vcpreg.c (do_cp14_32)
 * @env    arm64 arm32
 */
#include <guest.h>

enum { OS_LOCK_MODEL = 1 << 3 };

#ifdef __aarch64__
#define ZERO(name) do { sysreg_write(name, ~0ULL); check_eq(sysreg_read(name), 0); } while (0)
static unsigned long user(unsigned long x) { __asm__ volatile("mrs %0, mdscr_el1" : "=r"(x)); return x; }

static void registers(void)
{
    sysreg_write(oslar_el1, 0);
    check_eq(sysreg_read(oslsr_el1), OS_LOCK_MODEL);
    check_eq(sysreg_read(mdccsr_el0), 0);
    check_eq(sysreg_read(mdrar_el1), 0);
    ZERO(mdscr_el1);
    ZERO(osdlr_el1);
    ZERO(dbgbvr0_el1);
    ZERO(dbgbcr15_el1);
    ZERO(dbgwvr3_el1);
    ZERO(dbgwcr0_el1);
}
#define WRONG "mrs x0, dbgprcr_el1"
#define CLOBBERED "x0"
#else
#define CP14(crn, crm, op2) \
    ({ uint32_t cp14_v; __asm__ volatile("mrc p14, 0, %0, c" #crn ", c" #crm ", " #op2 : "=r"(cp14_v)); cp14_v; })
#define ZERO(crn, crm, op2) \
    do { \
        __asm__ volatile("mcr p14, 0, %0, c" #crn ", c" #crm ", " #op2 : : "r"(~0u)); \
        check_eq(CP14(crn, crm, op2), 0); \
    } while (0)
static unsigned long user(unsigned long x) { __asm__ volatile("mrc p14, 0, %0, c0, c2, 2" : "=r"(x)); return x; }

static void registers(void)
{
    __asm__ volatile("mcr p14, 0, %0, c1, c0, 4" : : "r"(0));
    check_eq(CP14(1, 1, 4), OS_LOCK_MODEL);
    check_eq(CP14(0, 1, 0), 0);
    check_eq(CP14(0, 0, 0) >> 16 & 0xf, 5);             /* ARMv7, v7.1 debug */
    ZERO(0, 2, 2);
    ZERO(1, 3, 4);
    ZERO(0, 7, 0);
    ZERO(0, 0, 4);
    ZERO(0, 1, 5);
    ZERO(0, 0, 6);
    ZERO(0, 0, 7);
}
#define WRONG "mrc p14, 0, r0, c0, c1, 7"               /* a second watchpoint */
#define CLOBBERED "r0"
#endif

void test_main(void)
{
    struct fault *f = fault_arm();

    registers();
    check_no_fault(f);
    __asm__ volatile(FAULTING(WRONG) : : : CLOBBERED, "memory");
    check_fault_iss(f, EC_UNKNOWN, 0);
    f = fault_arm();
    user_call(user, 0);
    check_fault_iss(f, EC_UNKNOWN, 0);
}
