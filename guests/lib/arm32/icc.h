/* icc.h (arm32) - GICv3's processor interface by its system registers. Facts: IHI 0069, 12.3. */
#ifndef GUEST_ARM32_ICC_H
#define GUEST_ARM32_ICC_H

#define ICC_PMR 0, 4, 6, 0
#define ICC_AP1R0 0, 12, 9, 0
#define ICC_DIR 0, 12, 11, 1
#define ICC_RPR 0, 12, 11, 3
#define ICC_HPPIR1 0, 12, 12, 2
#define ICC_BPR1 0, 12, 12, 3
#define ICC_CTLR 0, 12, 12, 4
#define ICC_SRE 0, 12, 12, 5
#define ICC_IGRPEN1 0, 12, 12, 7
#define icc_read(...) cp15_read(__VA_ARGS__)
#define icc_write(...) cp15_write(__VA_ARGS__)

#endif
