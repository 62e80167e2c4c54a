/* @title  the counters
 * @fact   both counts go on with every instruction, at the frequency that CNTFRQ says, a fixed distance apart; neither they nor the
 *         frequency can be written
 * @source Arm DDI 0487, D12.1.2, D12.8; Xen 4.17, xen/arch/arm/vtimer.c
 * @env    arm64 arm32
 */
#include <guest.h>
#include <timer_regs.h>

#ifdef __aarch64__
#define WRITE_COUNT "msr s3_3_c14_c0_2, xzr"
#define WRITE_PHYSICAL "msr s3_3_c14_c0_1, xzr"
#define WRITE_FREQUENCY "msr cntfrq_el0, xzr"
#else
#define WRITE_COUNT "mcrr p15, 1, r0, r1, c14"
#define WRITE_PHYSICAL "mcrr p15, 0, r0, r1, c14"
#define WRITE_FREQUENCY "mcr p15, 0, r0, c14, c0, 0"
#endif
#define REFUSED(insn) \
    do { struct fault *f = fault_arm(); \
         __asm__ volatile(FAULTING(insn) : : : "memory"); check_fault_iss(f, EC_UNKNOWN, 0); } while (0)

void test_main(void)
{
    uint64_t frequency = arch_counter_frequency(), last = cntvct_read(), start = clock_ns();

    printf("%u MHz\n", (unsigned)(frequency / 1000000));
    check(frequency >= 1000000 && frequency <= 1000000000);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = cntvct_read();

        check(now > last);
        last = now;
    }
    check(clock_ns() - start >= 1000 && clock_ns() - start < 100000);

    uint64_t before = cntpct_read() - cntvct_read();

    clock_spin(100000);
    uint64_t after = cntpct_read() - cntvct_read(), moved = after > before ? after - before : before - after;

    check(moved < timer_ticks(100));
    REFUSED(WRITE_COUNT);
    REFUSED(WRITE_PHYSICAL);
    REFUSED(WRITE_FREQUENCY);
    check(arch_counter_frequency() == frequency);
}
