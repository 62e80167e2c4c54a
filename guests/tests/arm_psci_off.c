/* @title  PSCI: the system off
 * @fact   SYSTEM_OFF ends the domain as a power-off
 * @source Arm DEN 0022, 5.1.9; Xen 4.17, xen/arch/arm/vpsci.c
 * @env    arm64 arm32
 * @shutdown poweroff
 */
#include <guest.h>

void test_main(void)
{
    printf("Test result: SUCCESS\n");
    psci(PSCI_FN_SYSTEM_OFF, 0, 0, 0);
    fail("the system is still on");
}
