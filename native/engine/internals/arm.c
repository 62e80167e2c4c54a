/* arm.c - prints arm/unicorn_internals.h: common.h's part, and what only the AArch64 target has (which runs AArch32 too). */
#define TARGET_CPU ARMCPU
#include "common.h"
#include "tcg/tcg-op.h"
#include "tcg/tcg-op-gvec.h"
#include "translate.h"

#define CP15(name, field) OFF("U_ENV_" name, CPUARMState, cp15.field)

int main(void)
{
    print_begin("aarch64", "XENLAB_ARM_UNICORN_INTERNALS_H");
    NUM("U_MMU_USER", ARMMMUIdx_E10_0 & ARM_MMU_IDX_COREIDX_MASK);
    NUM("U_MMU_KERNEL", ARMMMUIdx_E10_1 & ARM_MMU_IDX_COREIDX_MASK);
    printf("    /* CPUARMState */\n");
    OFF("U_ENV_REGS", CPUARMState, regs);
    OFF("U_ENV_XREGS", CPUARMState, xregs);
    OFF("U_ENV_PC", CPUARMState, pc);
    OFF("U_ENV_PSTATE", CPUARMState, pstate);
    OFF("U_ENV_AARCH64", CPUARMState, aarch64);
    OFF("U_ENV_HFLAGS", CPUARMState, hflags);
    OFF("U_ENV_UNCACHED_CPSR", CPUARMState, uncached_cpsr);
    OFF("U_ENV_SPSR", CPUARMState, spsr);
    OFF("U_ENV_BANKED_SPSR", CPUARMState, banked_spsr);
    OFF("U_ENV_BANKED_R13", CPUARMState, banked_r13);
    OFF("U_ENV_BANKED_R14", CPUARMState, banked_r14);
    OFF("U_ENV_USR_REGS", CPUARMState, usr_regs);
    OFF("U_ENV_FIQ_REGS", CPUARMState, fiq_regs);
    OFF("U_ENV_CF", CPUARMState, CF);
    OFF("U_ENV_VF", CPUARMState, VF);
    OFF("U_ENV_NF", CPUARMState, NF);
    OFF("U_ENV_ZF", CPUARMState, ZF);
    OFF("U_ENV_THUMB", CPUARMState, thumb);
    OFF("U_ENV_DAIF", CPUARMState, daif);
    OFF("U_ENV_ELR", CPUARMState, elr_el);
    OFF("U_ENV_SP", CPUARMState, sp_el);
    CP15("CSSELR", csselr_el);
    CP15("SCTLR", sctlr_el);
    CP15("CPACR", cpacr_el1);
    CP15("TTBR0", ttbr0_el);
    CP15("TTBR1", ttbr1_el);
    CP15("TCR", tcr_el);
    NUM("U_TCR_SIZE", sizeof(TCR));
    OFF("U_TCR_RAW", TCR, raw_tcr);
    OFF("U_TCR_MASK", TCR, mask);
    OFF("U_TCR_BASE_MASK", TCR, base_mask);
    CP15("DACR", dacr_ns);
    CP15("HCR", hcr_el2);
    CP15("SCR", scr_el3);
    CP15("IFSR", ifsr_ns);
    CP15("ESR", esr_el);
    CP15("FAR", far_el);
    CP15("PAR", par_el);
    CP15("MAIR", mair_el);
    CP15("VBAR", vbar_el);
    CP15("CONTEXTIDR", contextidr_el);
    CP15("TPIDR", tpidr_el);
    CP15("TPIDRRO", tpidrro_el);
    CP15("CNTKCTL", c14_cntkctl);
    CP15("FCSEIDR", fcseidr_ns);
    OFF("U_CS_CLUSTER", CPUState, cluster_index);
    OFF("U_ENV_SYNDROME", CPUARMState, exception.syndrome);
    OFF("U_ENV_FSR", CPUARMState, exception.fsr);
    OFF("U_ENV_VADDRESS", CPUARMState, exception.vaddress);
    OFF("U_ENV_TARGET_EL", CPUARMState, exception.target_el);
    OFF("U_ENV_VFP", CPUARMState, vfp.zregs);
    NUM("U_VFP_SIZE", sizeof(ARMVectorReg));
    OFF("U_ENV_VFP_XREGS", CPUARMState, vfp.xregs);
    NUM("U_VFP_FPEXC", ARM_VFP_FPEXC);
    NUM("U_VFP_MVFR0", ARM_VFP_MVFR0);
    NUM("U_VFP_MVFR1", ARM_VFP_MVFR1);
    NUM("U_VFP_MVFR2", ARM_VFP_MVFR2);
    NUM("U_VFP_FPSID", ARM_VFP_FPSID);
    OFF("U_ENV_EXCLUSIVE_ADDR", CPUARMState, exclusive_addr);
    OFF("U_ENV_EXCLUSIVE_VAL", CPUARMState, exclusive_val);
    OFF("U_ENV_EXCLUSIVE_HIGH", CPUARMState, exclusive_high);
    OFF("U_ENV_FEATURES", CPUARMState, features);
    NUM("U_CPU_CP_REGS", offsetof(ARMCPU, cp_regs));
    NUM("U_CPU_ISAR5", offsetof(ARMCPU, isar.id_isar5));
    NUM("U_CPU_ISAR6", offsetof(ARMCPU, isar.id_isar6));
    NUM("U_CPU_MVFR2", offsetof(ARMCPU, isar.mvfr2));
    NUM("U_FEATURE_V8", ARM_FEATURE_V8);
    NUM("U_CPU_MIDR", offsetof(ARMCPU, midr));
    printf("    /* translator */\n");
    OFF("U_DC_FP_TRAP", DisasContext, fp_excp_el);
    OFF("U_TCG_XREGS", TCGContext, cpu_X);
    NUM("U_TCG_C_EQ", TCG_COND_EQ);
    NUM("U_MO_SIZE", MO_SIZE);
    NUM("U_MO_AMASK", MO_AMASK);
    NUM("U_MO_ALIGN", MO_ALIGN);
    NUM("U_MO_ASHIFT", MO_ASHIFT);
    NUM("U_MO_ALIGN_4", MO_ALIGN_4);
    NUM("U_MO_ALIGN_16", MO_ALIGN_16);
    printf("    /* ARMCPRegInfo */\n");
    NUM("U_RI_SIZE", sizeof(ARMCPRegInfo));
    OFF("U_RI_CP", ARMCPRegInfo, cp);
    OFF("U_RI_STATE", ARMCPRegInfo, state);
    OFF("U_RI_TYPE", ARMCPRegInfo, type);
    OFF("U_RI_ACCESS", ARMCPRegInfo, access);
    OFF("U_RI_OPAQUE", ARMCPRegInfo, opaque);
    OFF("U_RI_FIELD", ARMCPRegInfo, fieldoffset);
    OFF("U_RI_ACCESSFN", ARMCPRegInfo, accessfn);
    OFF("U_RI_READFN", ARMCPRegInfo, readfn);
    OFF("U_RI_WRITEFN", ARMCPRegInfo, writefn);
    NUM("U_RI_STATE_AA32", ARM_CP_STATE_AA32);
    NUM("U_RI_STATE_AA64", ARM_CP_STATE_AA64);
    NUM("U_RI_64BIT", ARM_CP_64BIT);
    NUM("U_RI_CONST", ARM_CP_CONST);
    NUM("U_RI_NOP", ARM_CP_NOP);
    NUM("U_RI_SUPPRESS_TB_END", ARM_CP_SUPPRESS_TB_END);
    NUM("U_RI_PL0_RW", PL0_RW);
    NUM("U_RI_PL1_RW", PL1_RW);
    NUM("U_EXCP_UDEF", EXCP_UDEF);
    NUM("U_EXCP_SWI", EXCP_SWI);
    NUM("U_EXCP_PREFETCH_ABORT", EXCP_PREFETCH_ABORT);
    NUM("U_EXCP_DATA_ABORT", EXCP_DATA_ABORT);
    NUM("U_EXCP_IRQ", EXCP_IRQ);
    NUM("U_EXCP_FIQ", EXCP_FIQ);
    NUM("U_EXCP_BKPT", EXCP_BKPT);
    NUM("U_EXCP_HVC", EXCP_HVC);
    NUM("U_EXCP_SMC", EXCP_SMC);
    print_end();
    return 0;
}
