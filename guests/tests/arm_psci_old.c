/* @title  PSCI 0.1
 * @fact   of the numbers that Xen gives the functions of version 0.1, CPU_ON is there, with fewer errors than the newer one
 * @source Arm DEN 0022, 2.2; Xen 4.17, xen/arch/arm/vpsci.c
 * @env    arm64 arm32
 * @vcpus  2
 */
#include <guest.h>

void test_main(void)
{
    check_eq(psci(PSCI_cpu_on, 0, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_cpu_on, 5, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    if (ARCH_PSCI)
        check_eq(psci(PSCI_cpu_on, 1, 0x1001, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_cpu_suspend, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(PSCI_migrate, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(PSCI_FN_AFFINITY_INFO, 1, 0, 0), PSCI_AFFINITY_OFF);
}
