/* x86.c - prints x86/unicorn_internals.h: common.h's part, and what only x86 has. */
#define TARGET_CPU X86CPU
#include "common.h"

int main(void)
{
    print_begin("x86_64", "XENLAB_X86_UNICORN_INTERNALS_H");
    NUM("U_MMU_USER", MMU_USER_IDX);
    printf("    /* CPUX86State */\n");
    OFF("U_ENV_REGS", CPUX86State, regs);
    OFF("U_ENV_EIP", CPUX86State, eip);
    OFF("U_ENV_EFLAGS", CPUX86State, eflags);
    OFF("U_ENV_CC_DST", CPUX86State, cc_dst);
    OFF("U_ENV_CC_SRC", CPUX86State, cc_src);
    OFF("U_ENV_CC_SRC2", CPUX86State, cc_src2);
    OFF("U_ENV_CC_OP", CPUX86State, cc_op);
    OFF("U_ENV_DF", CPUX86State, df);
    OFF("U_ENV_HFLAGS", CPUX86State, hflags);
    OFF("U_ENV_HFLAGS2", CPUX86State, hflags2);
    OFF("U_ENV_SEGS", CPUX86State, segs);
    NUM("U_SEG_SIZE", sizeof(SegmentCache));
    OFF("U_SEG_SELECTOR", SegmentCache, selector);
    OFF("U_SEG_BASE", SegmentCache, base);
    OFF("U_SEG_LIMIT", SegmentCache, limit);
    OFF("U_SEG_FLAGS", SegmentCache, flags);
    OFF("U_ENV_LDT", CPUX86State, ldt);
    OFF("U_ENV_TR", CPUX86State, tr);
    OFF("U_ENV_GDT", CPUX86State, gdt);
    OFF("U_ENV_IDT", CPUX86State, idt);
    OFF("U_ENV_CR", CPUX86State, cr);
    OFF("U_ENV_EFER", CPUX86State, efer);
    OFF("U_ENV_STAR", CPUX86State, star);
    OFF("U_ENV_LSTAR", CPUX86State, lstar);
    OFF("U_ENV_CSTAR", CPUX86State, cstar);
    OFF("U_ENV_FMASK", CPUX86State, fmask);
    OFF("U_ENV_KERNELGSBASE", CPUX86State, kernelgsbase);
    OFF("U_ENV_SYSENTER_CS", CPUX86State, sysenter_cs);
    OFF("U_ENV_SYSENTER_ESP", CPUX86State, sysenter_esp);
    OFF("U_ENV_SYSENTER_EIP", CPUX86State, sysenter_eip);
    OFF("U_ENV_TSC_AUX", CPUX86State, tsc_aux);
    OFF("U_ENV_PAT", CPUX86State, pat);
    OFF("U_ENV_XCR0", CPUX86State, xcr0);
    OFF("U_ENV_FPSTT", CPUX86State, fpstt);
    OFF("U_ENV_FPUS", CPUX86State, fpus);
    OFF("U_ENV_FPUC", CPUX86State, fpuc);
    OFF("U_ENV_FPTAGS", CPUX86State, fptags);
    OFF("U_ENV_FPREGS", CPUX86State, fpregs);
    NUM("U_FPREG_SIZE", sizeof(FPReg));
    OFF("U_ENV_FPOP", CPUX86State, fpop);
    OFF("U_ENV_FPIP", CPUX86State, fpip);
    OFF("U_ENV_FPDP", CPUX86State, fpdp);
    OFF("U_ENV_X87_FLAGS", CPUX86State, fp_status.float_exception_flags);
    OFF("U_ENV_X87_FLUSH", CPUX86State, fp_status.flush_to_zero);
    OFF("U_ENV_SSE_FLAGS", CPUX86State, sse_status.float_exception_flags);
    OFF("U_ENV_SSE_FLUSH", CPUX86State, sse_status.flush_to_zero);
    OFF("U_ENV_MXCSR", CPUX86State, mxcsr);
    OFF("U_ENV_XMM", CPUX86State, xmm_regs);
    NUM("U_XMM_SIZE", sizeof(ZMMReg));
    OFF("U_ENV_ERROR_CODE", CPUX86State, error_code);
    OFF("U_ENV_EXCEPTION_IS_INT", CPUX86State, exception_is_int);
    OFF("U_ENV_EXCEPTION_NEXT_EIP", CPUX86State, exception_next_eip);
    OFF("U_ENV_OLD_EXCEPTION", CPUX86State, old_exception);
    OFF("U_ENV_DR", CPUX86State, dr);
    OFF("U_ENV_FEATURES", CPUX86State, features);
    NUM("U_FEATURE_WORDS_COUNT", FEATURE_WORDS);
    NUM("U_FEATURE_1_EDX", FEAT_1_EDX);
    NUM("U_FEATURE_1_ECX", FEAT_1_ECX);
    NUM("U_FEATURE_7_0_EBX", FEAT_7_0_EBX);
    NUM("U_FEATURE_8000_0001_EDX", FEAT_8000_0001_EDX);
    NUM("U_FEATURE_8000_0001_ECX", FEAT_8000_0001_ECX);
    OFF("U_TCG_SEG_BASE", TCGContext, cpu_seg_base);
    print_end();
    return 0;
}
