/* @title  #MF with CR0.NE
 * @fact   an unmasked x87 exception waits for the next waiting instruction of x87 or MMX, and is #MF there, at that instruction; those that
 *         do not wait pass; without NE there is no #MF; #NM comes first
 * @source Intel SDM vol. 3A 2.5 (NE), 6.15 (interrupt 16), vol. 1 8.7
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

static void pending(void)
{
    static const uint16_t control = 0x037b;     /* all masked but division by zero */

    __asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp %%st, %%st(1)" : : "m"(control) : "memory");
}

#define EXPECT(insn, v) \
    do { \
        pending(); \
        struct fault *f = fault_arm(); \
        __asm__ volatile(FAULTING(insn) : : "a"(area) : "memory"); \
        if (v) \
            check_fault(f, v, 0); \
        else \
            check_no_fault(f); \
        __asm__ volatile("fnclex"); \
    } while (0)

static char area[128] __attribute__((aligned(16)));

void test_main(void)
{
    unsigned long cr0 = read_cr0();
    uint16_t status;

    EXPECT("fwait", X86_EXC_MF);
    EXPECT("fnop", X86_EXC_MF);
    EXPECT("fld1", X86_EXC_MF);
    EXPECT("fldcw (%%" ARCH_ACCUMULATOR ")", X86_EXC_MF);
    EXPECT("paddw %%mm1, %%mm0", X86_EXC_MF);
    EXPECT("emms", X86_EXC_MF);
    EXPECT("fnstsw %%ax", 0);
    EXPECT("fnstcw (%%" ARCH_ACCUMULATOR ")", 0);
    EXPECT("fnclex", 0);
    EXPECT("fninit", 0);
    EXPECT("fnsave (%%" ARCH_ACCUMULATOR ")", 0);

    pending();
    __asm__ volatile("fnstsw %0" : "=m"(status));
    check_eq(status & 0x84, 0x84);               /* ES and ZE */
    __asm__ volatile("fnclex\n\tfnstsw %0" : "=m"(status));
    check_eq(status & 0x80ff, 0);

    write_cr0(cr0 | X86_CR0_TS);
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("fwait"));
    check_fault(f, X86_EXC_NM, 0);
    __asm__ volatile("clts");

    write_cr0(cr0 & ~(unsigned long)X86_CR0_NE);
    EXPECT("fwait", 0);
    EXPECT("fnop", 0);
    write_cr0(cr0);
    __asm__ volatile("fninit");
}
