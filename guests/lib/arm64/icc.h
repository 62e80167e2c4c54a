/* icc.h (arm64) - GICv3's processor interface by its system registers. Facts: IHI 0069, 12.2. */
#ifndef GUEST_ARM64_ICC_H
#define GUEST_ARM64_ICC_H

#define ICC_PMR s3_0_c4_c6_0
#define ICC_AP1R0 s3_0_c12_c9_0
#define ICC_DIR s3_0_c12_c11_1
#define ICC_RPR s3_0_c12_c11_3
#define ICC_HPPIR1 s3_0_c12_c12_2
#define ICC_BPR1 s3_0_c12_c12_3
#define ICC_CTLR s3_0_c12_c12_4
#define ICC_SRE s3_0_c12_c12_5
#define ICC_IGRPEN1 s3_0_c12_c12_7
#define icc_read(...) ((uint32_t)sysreg_read(__VA_ARGS__))
#define icc_write(...) sysreg_write(__VA_ARGS__)

#endif
