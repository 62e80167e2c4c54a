/* @title  compute loops
 * @fact   (benchmark) loop=0..3: registers, memory, list, branches; n iterations. The code is that of loops.S
 * @source guests/bench/loops.S, loops_arm64.S
 * @env    pv64 arm64
 */
#include <guest.h>

#ifdef __aarch64__
__asm__(".include \"loops_arm64.S\"");
#else
__asm__(".include \"loops.S\"");
#endif

typedef void loop_fn(unsigned long iterations, void *buffer);
loop_fn loop_register, loop_memory, loop_list, loop_branch;
static loop_fn *const loops[] = {loop_register, loop_memory, loop_list, loop_branch};
static char buffer[65536] __attribute__((aligned(4096)));

void test_main(void)
{
    uint64_t loop = guest_option("loop", 0);

    require(loop < ARRAY_SIZE(loops));
    loops[loop](guest_option("n", 1000), buffer);
}
