/* timer_regs.h (arm64) - the generic timer's registers by themselves. Facts: Arm DDI 0487, D12.8. */
#ifndef GUEST_ARM64_TIMER_REGS_H
#define GUEST_ARM64_TIMER_REGS_H

#define TIMER_REGISTER(name, reg) \
    static inline uint64_t name##_read(void) { arch_isb(); return sysreg_read(reg); } \
    static inline void name##_write(uint64_t v) { sysreg_write(reg, v); arch_isb(); }
TIMER_REGISTER(cntv_ctl, cntv_ctl_el0)
TIMER_REGISTER(cntv_cval, cntv_cval_el0)
TIMER_REGISTER(cntv_tval, cntv_tval_el0)
TIMER_REGISTER(cntp_ctl, cntp_ctl_el0)
TIMER_REGISTER(cntp_cval, cntp_cval_el0)
TIMER_REGISTER(cntp_tval, cntp_tval_el0)
static inline uint64_t cntvct_read(void) { arch_isb(); return sysreg_read(cntvct_el0); }
static inline uint64_t cntpct_read(void) { arch_isb(); return sysreg_read(cntpct_el0); }

#endif
