/* @title  the processor interface's system registers
 * @fact   read-only ones cannot be written, write-only ones not be read, and what five bits of priority do not need is not there:
 *         undefined; SRE is fixed. Under a GICv2 there is SRE alone, and it is zero
 * @source Arm IHI 0069 12.2; Xen 4.17, xen/arch/arm/vgic-v3.c
 * @env    arm64
 */
#include <guest.h>
#include <gic_cpu.h>

#define WRITES(name) \
    do { struct fault *f = fault_arm(); \
         __asm__ volatile(FAULTING("msr " #name ", xzr") : : : "memory"); check_fault_iss(f, EC_UNKNOWN, 0); } while (0)
#define READS(name) \
    do { struct fault *f = fault_arm(); uint64_t v; \
         __asm__ volatile(FAULTING("mrs %0, " #name) : "=r"(v) : : "memory"); check_fault_iss(f, EC_UNKNOWN, 0); } while (0)

void test_main(void)
{
    if (!gic_is_v3()) {
        READS(s3_0_c12_c12_0);
        READS(s3_0_c4_c6_0);
        WRITES(s3_0_c12_c12_1);
        WRITES(s3_0_c12_c11_5);
        sysreg_write(s3_0_c12_c12_5, 7);
        check_eq(sysreg_read(s3_0_c12_c12_5), 0);
        return;
    }
    WRITES(s3_0_c12_c12_0);                             /* IAR1 */
    WRITES(s3_0_c12_c12_2);                             /* HPPIR1 */
    WRITES(s3_0_c12_c11_3);                             /* RPR */
    READS(s3_0_c12_c12_1);                              /* EOIR1 */
    READS(s3_0_c12_c11_1);                              /* DIR */
    READS(s3_0_c12_c11_5);                              /* SGI1R */
    WRITES(s3_0_c12_c11_6);                             /* ASGI1R */
    WRITES(s3_0_c12_c11_7);                             /* SGI0R */
    READS(s3_0_c12_c8_5);                               /* AP0R1 */
    READS(s3_0_c12_c9_1);                               /* AP1R1 */
    sysreg_write(s3_0_c12_c12_5, 0);
    check_eq(sysreg_read(s3_0_c12_c12_5), 7);
    check_eq(sysreg_read(s3_0_c12_c12_4) >> 8 & 7, 4);  /* CTLR.PRIbits */
    check_eq(sysreg_read(s3_0_c12_c8_0), GIC_SPURIOUS); /* IAR0 */
}
