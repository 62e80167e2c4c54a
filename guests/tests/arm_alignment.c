/* @title  alignment on ARM
 * @fact   ordinary accesses may be unaligned, exclusive ones may not
 * @source Arm DDI 0487, B2.8
 * @env    arm64
 */
#include <guest.h>

static char buffer[64] __attribute__((aligned(16)));

#define KERNEL(insn) \
    __asm__ volatile(FAULTING(insn) : "=&r"(value), "=&r"(status) : "r"(at) : "memory")

void test_main(void)
{
    uint64_t value, status;
    const char *at = buffer + 3;
    struct fault *f = fault_arm();

    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)i;
    KERNEL("ldr %0, [%2]");
    check_no_fault(f);
    check_eq(value, 0x0a09080706050403);
    at = buffer + 13;                                   /* over a boundary of 16 bytes */
    KERNEL("ldr %0, [%2]");
    check_no_fault(f);
    check_eq(value, 0x14131211100f0e0d);

    at = buffer + 4;
    KERNEL("ldxr %0, [%2]");
    check_fault(f, EC_DABT, FSC_ALIGNMENT);
    check_eq(f->far, at);
}
