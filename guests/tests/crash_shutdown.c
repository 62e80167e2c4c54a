/* @title  a guest that says it has crashed
 * @fact   SCHEDOP_shutdown with SHUTDOWN_crash ends the domain as crashed, and does not come back
 * @source xen/include/public/sched.h
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 * @shutdown crash
 */
#include <guest.h>
#include <abi/sched.h>

void test_main(void)
{
    struct sched_shutdown op = { .reason = SHUTDOWN_crash };

    printf("Test result: SUCCESS\n");
    console_drain();
    hcall(sched_op, SCHEDOP_shutdown, &op);
    fail("the domain went on behind its end");
}
