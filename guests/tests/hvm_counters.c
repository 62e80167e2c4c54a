/* @title  performance counters that are not there
 * @fact   without a virtual PMU, AMD's counters and event selectors read as zero and take no value, and do not fault
 * @source vpmu_do_msr() in xen/arch/x86/cpu/vpmu.c; AMD64 APM volume 2, 13.2
 * @env    hvm64 pvh64 hvm32
 */
#include <guest.h>
#include <system.h>

#define SELECT0 0xc0010000u
enum { COUNTERS = 4 };

void test_main(void)
{
    for (uint32_t i = 0; i < 2 * COUNTERS; i++) {
        wrmsr(SELECT0 + i, 0x430076);
        check_eq(rdmsr(SELECT0 + i), 0);
    }
}
