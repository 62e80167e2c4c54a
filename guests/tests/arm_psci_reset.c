/* @title  PSCI: the system reset
 * @fact   SYSTEM_RESET ends the domain as a reboot
 * @source Arm DEN 0022, 5.1.10; Xen 4.17, xen/arch/arm/vpsci.c
 * @env    arm64 arm32
 * @shutdown reboot
 */
#include <guest.h>

void test_main(void)
{
    printf("Test result: SUCCESS\n");
    psci(PSCI_FN_SYSTEM_RESET, 0, 0, 0);
    fail("the system goes on");
}
