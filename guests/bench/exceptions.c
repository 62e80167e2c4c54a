/* @title  exceptions and interrupts of ARM
 * @fact   (benchmark) loop=0..2: PSCI's version by hvc, svc from EL0 and back, an interrupt to the other processor and back;
 *         n iterations. The code is that of exceptions_arm64.S
 * @source guests/bench/exceptions_arm64.S
 * @env    arm64
 * @vcpus  2
 */
#include <guest.h>
#include <abi/arch/arm.h>

__asm__(".include \"exceptions_arm64.S\"");

typedef void loop_fn(uint64_t iterations, void *buffer, uint64_t distributor, uint64_t interface);
loop_fn loop_psci, loop_svc, loop_ipi;
static loop_fn *const loops[] = { loop_psci, loop_svc, loop_ipi };
static char buffer[65536] __attribute__((aligned(4096)));

void test_main(void)
{
    uint64_t loop = guest_option("loop", 0);

    require(loop < ARRAY_SIZE(loops));
    loops[loop](guest_option("n", 1000), buffer, GUEST_GICD_BASE, GUEST_GICC_BASE);
}
