/* @title  PSCI: what there is
 * @fact   version 1.1, no migration; FEATURES tells of what can be called, and of nothing else; what is not there is not supported;
 *         SMCCC says its version and the hypervisor that it is Xen; SMC #0 is the same as HVC #0
 * @source Arm DEN 0022, DEN 0028; Xen 4.17, xen/arch/arm/vpsci.c, vsmc.c; xen/include/public/arch-arm/smccc.h
 * @env    arm64 arm32
 */
#include <guest.h>

/* SMC #0, by its number: the compiler's processor has no EL3. */
static long by_smc(unsigned long function)
{
#ifdef __aarch64__
    register unsigned long x0 __asm__("x0") = function;
    __asm__ volatile(".inst 0xd4000003" : "+r"(x0) : : "x1", "x2", "x3", "memory");
    return (long)x0;
#else
    register unsigned long r0 __asm__("r0") = function;
    __asm__ volatile(".arch_extension sec\n\tsmc #0" : "+r"(r0) : : "r1", "r2", "r3", "memory");
    return (long)r0;
#endif
}

static long features(unsigned long function) { return psci(PSCI_FN_FEATURES, function, 0, 0); }

void test_main(void)
{
    static const uint32_t there[] = {
        PSCI_FN_VERSION, PSCI_FN_CPU_SUSPEND | ARCH_PSCI, PSCI_FN_CPU_OFF, PSCI_FN_CPU_ON | ARCH_PSCI,
        PSCI_FN_AFFINITY_INFO | ARCH_PSCI, PSCI_FN_MIGRATE_INFO_TYPE, PSCI_FN_SYSTEM_OFF, PSCI_FN_SYSTEM_RESET, PSCI_FN_FEATURES,
        SMCCC_VERSION };
    static const uint32_t absent[] = { PSCI_FN_MIGRATE, 0x84000007, 0x8400000b, 0x8400000e, 0x84000010, SMCCC_ARCH_FEATURES,
                                       0xdead };

    check_eq(psci(PSCI_FN_VERSION, 0, 0, 0), PSCI_VERSION_1_1);
    check_eq(psci(PSCI_FN_MIGRATE_INFO_TYPE, 0, 0, 0), PSCI_MIGRATE_NOT_NEEDED);
    for (unsigned i = 0; i < ARRAY_SIZE(there); i++)
        check_eq(features(there[i]), PSCI_SUCCESS);
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
        check_eq(features(absent[i]), PSCI_NOT_SUPPORTED);
    check_eq(psci(PSCI_FN_MIGRATE, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(0x8400000e, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(0xbeef, 0, 0, 0), PSCI_NOT_SUPPORTED);
    if (!ARCH_PSCI)
        check_eq(psci(PSCI_FN_CPU_ON | PSCI_FN64, 1, 0, 0), PSCI_NOT_SUPPORTED);

    check_eq(psci(SMCCC_VERSION, 0, 0, 0), SMCCC_VERSION_1_1);
    check_eq(psci(SMCCC_ARCH_FEATURES, SMCCC_ARCH_WORKAROUND_1, 0, 0), SMCCC_NOT_SUPPORTED);
    check_eq((uint32_t)psci(SMCCC_XEN_UID, 0, 0, 0), SMCCC_XEN_UID_0);
    check_eq(psci(SMCCC_XEN_COUNT, 0, 0, 0), 3);
    check_eq(by_smc(PSCI_FN_VERSION), PSCI_VERSION_1_1);
    check_eq(by_smc(0xbeef), PSCI_NOT_SUPPORTED);
}
