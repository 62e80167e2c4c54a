/* @title  #NM and #UD by CR0.EM, MP, TS and CR4.OSFXSR
 * @fact   of the eight combinations x87 raises #NM for EM or TS, WAIT for MP and TS together, MMX and SSE #UD for EM and else #NM
 *         for TS; without OSFXSR SSE is #UD, and MMX is not touched by it
 * @source Intel SDM vol. 3A 2.5 (tables 2-2, 11-1, 13-1), 6.15 (interrupt 7)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { NONE = 0xff };
static char area[512] __attribute__((aligned(16)));

static unsigned outcome(const struct fault *f) { return f->count ? f->vector : NONE; }

#define TRY(insn) \
    ({ \
        struct fault *f = fault_arm(); \
        write_cr0(cr0); \
        write_cr4(cr4); \
        __asm__ volatile(FAULTING(insn) : : "a"(area) : "memory"); \
        write_cr0(old_cr0); \
        write_cr4(old_cr4); \
        check(!f->count || (!f->behind && f->error == 0)); \
        outcome(f); \
    })

void test_main(void)
{
    unsigned long old_cr0 = read_cr0(), old_cr4 = read_cr4();

    for (unsigned combination = 0; combination < 16; combination++) {
        bool em = combination & 1, mp = combination & 2, ts = combination & 4, fxsr = combination & 8;
        unsigned long cr0 = (old_cr0 & ~(unsigned long)(X86_CR0_EM | X86_CR0_MP | X86_CR0_TS)) | (em ? X86_CR0_EM : 0) |
                            (mp ? X86_CR0_MP : 0) | (ts ? X86_CR0_TS : 0);
        unsigned long cr4 = (old_cr4 & ~(unsigned long)X86_CR4_OSFXSR) | (fxsr ? X86_CR4_OSFXSR : 0);
        unsigned x87 = em || ts ? X86_EXC_NM : NONE, mmx = em ? X86_EXC_UD : ts ? X86_EXC_NM : NONE;
        unsigned sse = em || !fxsr ? X86_EXC_UD : ts ? X86_EXC_NM : NONE;

        check_eq(TRY("fnop"), x87);
        check_eq(TRY("fld1"), x87);
        check_eq(TRY("fninit"), x87);
        check_eq(TRY("fnstsw %%ax"), x87);
        check_eq(TRY("fwait"), mp && ts ? X86_EXC_NM : NONE);
        check_eq(TRY("paddw %%mm1, %%mm0"), mmx);
        check_eq(TRY("emms"), mmx);
        check_eq(TRY("xorps %%xmm0, %%xmm0"), sse);
        check_eq(TRY("paddw %%xmm1, %%xmm0"), sse);
        check_eq(TRY("ldmxcsr 24(%%" ARCH_ACCUMULATOR ")"), sse);
        check_eq(TRY("fxsave (%%" ARCH_ACCUMULATOR ")"), x87);
        *(uint32_t *)(area + 24) = 0x1f80;
        check_eq(TRY("prefetcht0 (%%" ARCH_ACCUMULATOR ")"), NONE);
        check_eq(TRY("sfence"), NONE);
    }
    struct fault *f = fault_arm();
    __asm__ volatile("clts\n\t" FAULTING("fninit"));
    check_no_fault(f);
}
