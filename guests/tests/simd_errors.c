/* @title  #XM with each exception and mask
 * @fact   an SSE exception leaves its flag in MXCSR; unmasked it is #XM at the instruction, which has changed neither its register nor
 *         EFLAGS, and #UD without CR4.OSXMMEXCPT; of a packed operation any element may raise it; flags stay until they are
 *         cleared, and alone raise nothing
 * @source Intel SDM vol. 1, 10.2.3, 11.5.1, 11.5.3, 11.5.4, vol. 3A 2.5 (OSXMMEXCPT), 6.15 (interrupt 19)
 * @env    pv64 pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { IE = 1, ZE = 4, OE = 8, UE = 16, PE = 32, MASKED = 0x1f80 };
#define ONE 0x3f800000u
#define THREE 0x40400000u
#define MAX 0x7f7fffffu
#define TINY 0x00800000u
#define SIGNALLING 0x7fa00000u

static uint32_t mxcsr(void) { uint32_t v; __asm__ volatile("stmxcsr %0" : "=m"(v)); return v; }
static void load(uint32_t v) { __asm__ volatile("ldmxcsr %0" : : "m"(v)); }

struct sample { const char *name; uint32_t a, b, flags; };

/* a / b: 0 masked, and with each of its exceptions unmasked. */
static void divide(const struct sample *s)
{
    for (uint32_t unmask = 0; unmask < 0x40; unmask = unmask ? unmask << 1 : 1) {
        uint32_t result = 0, flags;
        struct fault *f = fault_arm();

        load(MASKED & ~(unmask << 7));
        __asm__ volatile("movss %1, %%xmm0\n\tmovss %2, %%xmm1\n\t" FAULTING("divss %%xmm1, %%xmm0") "movss %%xmm0, %0"
                         : "=m"(result) : "m"(s->a), "m"(s->b) : "memory");
        flags = mxcsr() & 0x3f;
        load(MASKED);
        if (s->flags & unmask) {
            if (f->count != 1)
                printf("%s, unmasked %x: ", s->name, unmask);
            check_fault(f, X86_EXC_XM, 0);
            check(!f->behind);
            check_eq(result, s->a);
            check(flags & unmask);
            check(!(flags & ~s->flags));
        } else {
            if (f->count)
                printf("%s, unmasked %x: ", s->name, unmask);
            check_no_fault(f);
            check_eq(flags, s->flags);
        }
    }
}

void test_main(void)
{
    static const struct sample samples[] = {
        { "exact", THREE, ONE, 0 }, { "inexact", ONE, THREE, PE }, { "by zero", ONE, 0, ZE }, { "zero by zero", 0, 0, IE },
        { "overflow", MAX, TINY, OE | PE }, { "underflow", TINY, MAX, UE | PE }, { "signalling", SIGNALLING, ONE, IE },
    };
    struct fault *f;

    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++)
        divide(&samples[i]);

    /* Flags stay, and do nothing by themselves. */
    static const uint32_t zero = 0, one = ONE, three = THREE;
    load(MASKED);
    __asm__ volatile("movss %0, %%xmm0\n\tdivss %1, %%xmm0\n\tmovss %0, %%xmm0\n\tdivss %2, %%xmm0" : : "m"(one), "m"(three), "m"(zero));
    check_eq(mxcsr(), MASKED | PE | ZE);
    load(mxcsr() & ~(uint32_t)(ZE << 7 | PE << 7));
    f = fault_arm();
    __asm__ volatile(FAULTING("addss %%xmm1, %%xmm1") : : : "memory");
    check_no_fault(f);

    /* Comparisons: EFLAGS; conversions: a general register; the fourth element of four. */
    static const uint32_t nan = SIGNALLING, big = 0x7f000000;
    unsigned long flags;
    load(MASKED & ~(uint32_t)(IE << 7));
    f = fault_arm();
    __asm__ volatile("movss %1, %%xmm0\n\tstc\n\t" FAULTING("ucomiss %%xmm0, %%xmm0") "pushf\n\tpop %0" : "=r"(flags) : "m"(nan) : "memory", "cc");
    check_fault(f, X86_EXC_XM, 0);
    check((flags & X86_EFLAGS_CF) && !(flags & X86_EFLAGS_ZF));
    uint32_t number = 77;
    f = fault_arm();
    __asm__ volatile(FAULTING("cvtss2si %1, %0") : "+r"(number) : "m"(big));
    check_fault(f, X86_EXC_XM, 0);
    check_eq(number, 77);
    static uint32_t four[4] __attribute__((aligned(16))) = { ONE, ONE, ONE, SIGNALLING }, out[4] __attribute__((aligned(16)));
    f = fault_arm();
    __asm__ volatile("movaps %1, %%xmm2\n\t" FAULTING("addps %%xmm2, %%xmm2") "movaps %%xmm2, %0" : "=m"(out) : "m"(four) : "memory");
    check_fault(f, X86_EXC_XM, 0);
    check_eq(out[0], ONE);
    load(MASKED);
#ifdef PAGING_LEVELS                 /* a whole processor */
    unsigned long cr4 = read_cr4();
    write_cr4(cr4 & ~(unsigned long)X86_CR4_OSXMMEXCPT);
    load(MASKED & ~(uint32_t)(ZE << 7));
    f = fault_arm();
    __asm__ volatile("movss %0, %%xmm0\n\txorps %%xmm1, %%xmm1\n\t" FAULTING("divss %%xmm1, %%xmm0") : : "m"(one) : "memory");
    check_fault(f, X86_EXC_UD, 0);
    load(MASKED);
    write_cr4(cr4);
#endif
}
