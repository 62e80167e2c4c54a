/* @title  what user mode is kept from
 * @fact   WFI, interrupt masks, counters and cache maintenance of user mode are trapped where control registers say so, each with its class and its
 *         register in the syndrome; and are not where they do not
 * @source Arm DDI 0487, D17.2.118 (SCTLR_EL1), D12.8.16 (CNTKCTL_EL1), D17.2.37
 * @env    arm64
 */
#include <guest.h>

#define USER_FN(name, insn) \
    static unsigned long name(unsigned long x) { __asm__ volatile(insn : "+r"(x) : : "memory"); return x; }
USER_FN(user_wfe, "sevl\n\twfe")
USER_FN(user_wfi, "wfi")
USER_FN(user_float, ".arch_extension fp\n\tfmov d0, %0\n\t.arch_extension nofp")
USER_FN(user_counter, "mrs %0, cntvct_el0")
USER_FN(user_timer, "mrs %0, cntv_ctl_el0")
USER_FN(user_type, "mrs %0, ctr_el0")
USER_FN(user_clean, "dc cvau, %0")
USER_FN(user_zero, "dc zva, %0")
USER_FN(user_mask, "msr daifset, #2\n\tmsr daifclr, #2")

static char line[256] __attribute__((aligned(256)));

/* ISS of an access to a system register: Op0, Op2, Op1, CRn, Rt, CRm, direction. */
#define SYSREG_ISS(op0, op1, crn, crm, op2) \
    ((unsigned)(op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define RT_AND_DIRECTION 0x3e1

static void trapped(unsigned long (*fn)(unsigned long), unsigned vector, unsigned iss, unsigned ignore)
{
    struct fault *f = fault_arm();

    user_call(fn, (unsigned long)line);
    if (f->count != 1 || f->vector != vector || (f->esr & ESR_ISS & ~(unsigned long)ignore) != iss)
        verdict_note(false, __FILE__, __LINE__, "expected %s[%x], got %u, the last %s[%lx]", vector_name(vector), iss, f->count,
                     vector_name(f->vector), f->esr & ESR_ISS);
}

static void allowed(unsigned long (*fn)(unsigned long))
{
    struct fault *f = fault_arm();

    user_call(fn, (unsigned long)line);
    check_no_fault(f);
}

void test_main(void)
{
    enum { UMA = 1 << 9, NTWI = 1 << 16, NTWE = 1 << 18, UCT = 1 << 15, UCI = 1 << 26, DZE = 1 << 14 };
    enum { WFX_CONDITION = 0x1f << 20 };
    uint64_t sctlr = sysreg_read(sctlr_el1);

    allowed(user_wfe);
    allowed(user_type);
    allowed(user_clean);
    allowed(user_zero);
    allowed(user_float);
    allowed(user_counter);

    sysreg_write(sctlr_el1, sctlr & ~(uint64_t)(NTWI | NTWE | UCT | UCI | DZE));
    arch_isb();
    trapped(user_wfi, EC_WFX, 0, WFX_CONDITION);
    trapped(user_type, EC_SYSREG, SYSREG_ISS(3, 3, 0, 0, 1), RT_AND_DIRECTION);
    trapped(user_clean, EC_SYSREG, SYSREG_ISS(1, 3, 7, 11, 1), RT_AND_DIRECTION);
    trapped(user_zero, EC_SYSREG, SYSREG_ISS(1, 3, 7, 4, 1), RT_AND_DIRECTION);
    sysreg_write(sctlr_el1, sctlr | UMA);
    arch_isb();
    allowed(user_mask);
    sysreg_write(sctlr_el1, sctlr & ~(uint64_t)UMA);
    arch_isb();
    trapped(user_mask, EC_SYSREG, SYSREG_ISS(0, 3, 4, 2, 6) | 0x3e0, 0);
    sysreg_write(sctlr_el1, sctlr);

    sysreg_write(cntkctl_el1, 0);
    arch_isb();
    trapped(user_counter, EC_SYSREG, SYSREG_ISS(3, 3, 14, 0, 2), RT_AND_DIRECTION);
    trapped(user_timer, EC_SYSREG, SYSREG_ISS(3, 3, 14, 3, 1), RT_AND_DIRECTION);
    sysreg_write(cntkctl_el1, 3 | 1 << 8);
    arch_isb();
    allowed(user_counter);
    allowed(user_timer);
}
