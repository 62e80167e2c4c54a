/* @title  UMIP
 * @fact   with CR4.UMIP SGDT, SIDT, SLDT, STR and SMSW are #GP(0) in ring 3, to memory and to a register, and work in ring 0; without
 *         it they work in ring 3; CPUID offers it
 * @source Intel SDM vol. 3A 2.5 (CR4.UMIP), vol. 2 SGDT, SIDT, SLDT, STR, SMSW
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { UMIP = 1 << 11, CPUID_UMIP = 1 << 2 };
static char area[16];

#define EACH(what) \
    what(sgdt, "sgdt %0") what(sidt, "sidt %0") what(sldt, "sldt %0") what(str, "str %0") what(smsw, "smsw %0") \
    what(sldt_register, "sldt %%eax") what(str_register, "str %%eax") what(smsw_register, "smsw %%eax")
#define USER_FN(name, insn) \
    static unsigned long user_##name(unsigned long x) { __asm__ volatile("nop\n\t" insn : "=m"(area) : : "eax", "memory"); return x + 1; }
EACH(USER_FN)
#define KERNEL(name, insn) __asm__ volatile(FAULTING(insn) : "=m"(area) : : "eax", "memory");
#define ENTRY(name, insn) { #name, user_##name },

void test_main(void)
{
    static const struct { const char *name; unsigned long (*fn)(unsigned long); } each[] = { EACH(ENTRY) };
    unsigned long cr4 = read_cr4();
    struct fault *f = fault_arm();

    check(x86_cpuid(7, 0).ecx & CPUID_UMIP);
    for (unsigned round = 0; round < 2; round++) {
        write_cr4(cr4 & ~(unsigned long)UMIP);
        for (unsigned i = 0; i < ARRAY_SIZE(each); i++) {
            f = fault_arm();
            check_eq(user_call(each[i].fn, i), i + 1);
            check_no_fault(f);
        }
        write_cr4(cr4 | UMIP);
        check_eq(read_cr4(), cr4 | UMIP);
        for (unsigned i = 0; i < ARRAY_SIZE(each); i++) {
            f = fault_arm();
            user_call(each[i].fn, 0);
            if (f->count != 1)
                printf("%s: ", each[i].name);
            check_fault(f, X86_EXC_GP, 0);
            check_eq(f->cs, USER_CS);
            check_eq(((uint8_t *)f->ip)[0], 0x0f);
        }
        f = fault_arm();
        EACH(KERNEL)
        check_no_fault(f);
    }
    write_cr4(cr4);
}
