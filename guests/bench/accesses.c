/* @title  accesses to devices
 * @fact   (benchmark) loop=0..3: n reads of a port or of a register in memory. The code is that of accesses.S
 * @source guests/bench/accesses.S
 * @env    hvm64
 */
#include <guest.h>

__asm__(".include \"accesses.S\"");

typedef void loop_fn(unsigned long iterations);
loop_fn loop_port, loop_port_controller, loop_mmio, loop_mmio_controller;
static loop_fn *const loops[] = {loop_port, loop_port_controller, loop_mmio, loop_mmio_controller};

void test_main(void)
{
    uint64_t loop = guest_option("loop", 0);

    require(loop < ARRAY_SIZE(loops));
    loops[loop](guest_option("n", 1000));
}
