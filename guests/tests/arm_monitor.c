/* @title  the performance monitor on ARM
 * @fact   it counts nothing: the kernel reads zeros and its writes are lost; user mode may read that it may not use it, and no
 *         more; registers of single counters, and those of other coprocessor spaces, are not there
 * @source xen/arch/arm/arm64/vsysreg.c (do_sysreg), xen/arch/arm/vcpreg.c (do_cp15_32)
 * @env    arm64 arm32
 */
#include <guest.h>

#ifdef __aarch64__
#define ZERO(name) do { sysreg_write(name, ~0ULL); check_eq(sysreg_read(name), 0); } while (0)
static unsigned long user_may_use(unsigned long x) { __asm__ volatile("mrs %0, pmuserenr_el0" : "+r"(x)); return x; }
static unsigned long user_enable(unsigned long x) { __asm__ volatile("msr pmuserenr_el0, %0" : : "r"(x)); return x; }
static unsigned long user_count(unsigned long x) { __asm__ volatile("mrs %0, pmccntr_el0" : "+r"(x)); return x; }

static void registers(void)
{
    ZERO(pmcr_el0);
    ZERO(pmcntenset_el0);
    ZERO(pmselr_el0);
    ZERO(pmccntr_el0);
    ZERO(pmxevtyper_el0);
    ZERO(pmuserenr_el0);
    ZERO(pmintenset_el1);
    ZERO(pmovsset_el0);
}
#define CASES(CASE) \
    CASE("mrs x0, pmevcntr0_el0") \
    CASE("mrs x0, pmevtyper30_el0") \
    CASE("mrs x0, pmccfiltr_el0") \
    CASE("mrs x0, s3_3_c9_c13_7") \
    CASE("mrs x0, s3_3_c9_c15_0")
#define KEPT "x0"
#else
#define CP15(crm, op2) \
    ({ uint32_t cp15_v; __asm__ volatile("mrc p15, 0, %0, c9, c" #crm ", " #op2 : "=r"(cp15_v)); cp15_v; })
#define ZERO(crm, op2) \
    do { \
        __asm__ volatile("mcr p15, 0, %0, c9, c" #crm ", " #op2 : : "r"(~0u)); \
        check_eq(CP15(crm, op2), 0); \
    } while (0)
static unsigned long user_may_use(unsigned long x) { __asm__ volatile("mrc p15, 0, %0, c9, c14, 0" : "+r"(x)); return x; }
static unsigned long user_enable(unsigned long x) { __asm__ volatile("mcr p15, 0, %0, c9, c14, 0" : : "r"(x)); return x; }
static unsigned long user_count(unsigned long x) { __asm__ volatile("mrc p15, 0, %0, c9, c13, 0" : "+r"(x)); return x; }

static void registers(void)
{
    ZERO(12, 0);
    ZERO(12, 1);
    ZERO(12, 5);
    ZERO(13, 0);
    ZERO(13, 1);
    ZERO(14, 0);
    ZERO(14, 1);
    ZERO(14, 3);
}
#define CASES(CASE) \
    CASE("mrc p15, 0, r0, c14, c8, 0") \
    CASE("mrc p15, 0, r0, c14, c15, 7") \
    CASE("mrc p15, 0, r0, c9, c13, 7") \
    CASE("mrc p15, 0, r0, c9, c15, 0") \
    CASE("mrc p15, 1, r0, c9, c12, 0")
#define KEPT "r0"
#endif

#define NOT_THERE(insn) \
    f = fault_arm(); \
    __asm__ volatile(FAULTING(insn) : : : KEPT, "memory", "cc"); \
    check_fault_iss(f, EC_UNKNOWN, 0);

void test_main(void)
{
    struct fault *f = fault_arm();

    registers();
    check_eq(user_call(user_may_use, 17), 0);
    check_no_fault(f);
    CASES(NOT_THERE)
    f = fault_arm();
    user_call(user_enable, 1);
    check_fault_iss(f, EC_UNKNOWN, 0);
    f = fault_arm();
    user_call(user_count, 0);
    check_fault_iss(f, EC_UNKNOWN, 0);
}
