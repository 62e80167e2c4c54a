/* timer_regs.h (arm32) - the generic timer's registers by themselves. Facts: Arm DDI 0406C, B8.1. */
#ifndef GUEST_ARM32_TIMER_REGS_H
#define GUEST_ARM32_TIMER_REGS_H

#define TIMER_REGISTER(name, crm, opc2) \
    static inline uint64_t name##_read(void) { arch_isb(); return cp15_read(0, 14, crm, opc2); } \
    static inline void name##_write(uint64_t v) { cp15_write(0, 14, crm, opc2, v); arch_isb(); }
#define TIMER_REGISTER64(name, opc1) \
    static inline uint64_t name##_read(void) { arch_isb(); return cp15_read64(opc1, 14); } \
    static inline void name##_write(uint64_t v) { cp15_write64(opc1, 14, v); arch_isb(); }
TIMER_REGISTER(cntv_ctl, 3, 1)
TIMER_REGISTER64(cntv_cval, 3)
TIMER_REGISTER(cntv_tval, 3, 0)
TIMER_REGISTER(cntp_ctl, 2, 1)
TIMER_REGISTER64(cntp_cval, 2)
TIMER_REGISTER(cntp_tval, 2, 0)
static inline uint64_t cntvct_read(void) { arch_isb(); return cp15_read64(1, 14); }
static inline uint64_t cntpct_read(void) { arch_isb(); return cp15_read64(0, 14); }

#endif
