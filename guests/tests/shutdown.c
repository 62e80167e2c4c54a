/* @title  shutdown reasons
 * @fact   SCHEDOP_shutdown ends the domain with the reason given (`reason=` on the command line), and does not return
 * @source xen/include/public/sched.h (SHUTDOWN_*)
 * @env    pv64 arm64 arm32
 * @cmdline reason=1
 * @shutdown reboot
 */
#include <guest.h>

void test_main(void)
{
    struct sched_shutdown bad = { .reason = 0 };

    check_eq(hcall(sched_op, SCHEDOP_shutdown, 0x1000), -XEN_EFAULT);
    bad.reason = (uint32_t)guest_option("reason", SHUTDOWN_poweroff);
    printf("Test result: %s\n", verdict_failures() ? "FAILURE" : "SUCCESS");
    console_drain();
    hcall(sched_op, SCHEDOP_shutdown, &bad);
    printf("Test result: FAILURE\n");
}
