/* @title  stack pointer alignment
 * @fact   a load or store by a stack pointer that is no multiple of 16 is reported at itself where SCTLR_EL1.SA (for user mode SA0)
 *         asks for it; an access by another register, and computing with the pointer, are not
 * @source Arm DDI 0487, "SP alignment checking", SCTLR_EL1, ESR_EL1 (EC 0x26)
 * @env    arm64
 */
#include <guest.h>

enum { SA = 1 << 3, SA0 = 1 << 4 };

/* Each with the stack pointer 8 below where it was. `place`: where x0 is to point. */
#define CASES(CASE) \
    CASE("ldr x1, [sp]") CASE("str x1, [sp, #8]") CASE("ldrb w1, [sp, #16]") CASE("stp x1, x2, [sp, #-16]!") \
    CASE("ldp x1, x2, [sp], #16") CASE("ldxr x1, [sp]") CASE("ldur x1, [sp, #-3]") CASE("ldr x1, [sp, x0]")

#define MISALIGNED(insn) \
    "sub sp, sp, #8\n\t" FAULTING_SKIP(insn, "773f") "773: mov x3, sp\n\tand sp, x3, #~15\n\tadd sp, sp, #16\n\t"

#define IN_KERNEL(insn) \
    f = fault_arm(); \
    __asm__ volatile("mov x0, #16\n\tsub sp, sp, #64\n\t" MISALIGNED(insn) "mov sp, %0" \
                     : : "r"(sp) : "x0", "x1", "x2", "x3", "memory"); \
    check_fault_iss(f, EC_SP_ALIGN, 0);

static unsigned long user_load(unsigned long keep)
{
    __asm__ volatile("sub sp, sp, #8\n\tldr x1, [sp]\n\tadd sp, sp, #8" : : : "x1", "memory");
    return keep;
}

static void set(uint64_t control)
{
    sysreg_write(sctlr_el1, control);
    arch_isb();
}

/* What the kernel's accesses come to, now that the pointer's alignment counts. A handler that is called with such a pointer would
 * fault as well: it is on SP_EL1, the pointer of the code that faults on SP_EL0. */
static void kernel_cases(void)
{
    struct fault *f;
    uint64_t sp;

    __asm__ volatile("mov %0, sp" : "=r"(sp));
    CASES(IN_KERNEL)
    f = fault_arm();
    __asm__ volatile("sub sp, sp, #8\n\tprfm pldl1keep, [sp]\n\tadd x1, sp, #3\n\tldr x2, [x1]\n\tadd sp, sp, #8"
                     : : : "x1", "x2", "memory");
    check_no_fault(f);
    f = fault_arm();
    __asm__ volatile("ldr x1, [sp]\n\tldur x1, [sp, #-3]" : : : "x1", "memory");
    check_no_fault(f);
}

void test_main(void)
{
    uint64_t control = sysreg_read(sctlr_el1) & ~(uint64_t)(SA | SA0), sp;
    struct fault *f;

    set(control);
    f = fault_arm();
    __asm__ volatile("sub sp, sp, #8\n\tldr x1, [sp]\n\tstr x1, [sp]\n\tadd sp, sp, #8" : : : "x1", "memory");
    check_no_fault(f);
    check_eq(user_call(user_load, 7), 7);
    check_no_fault(f);

    set(control | SA0);
    f = fault_arm();
    user_call(user_load, 7);
    check_fault_iss(f, EC_SP_ALIGN, 0);
    check_eq(*(const uint32_t *)f->ip, 0xf94003e1);     /* ldr x1, [sp] */
    check_eq(f->flags & 0xf, 0);
    check_eq(f->sp & 15, 8);
    f = fault_arm();
    __asm__ volatile("sub sp, sp, #8\n\tldr x1, [sp]\n\tadd sp, sp, #8" : : : "x1", "memory");
    check_no_fault(f);

    /* Run on SP_EL0, so that exceptions come on a pointer that is in order. */
    set(control | SA);
    irq_disable();
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    sysreg_write(sp_el0, sp - 1024);
    __asm__ volatile("msr spsel, #0\n\tblr %0\n\tmsr spsel, #1"
                     : : "r"(kernel_cases)
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", "x18", "x30", "memory", "cc");
    irq_enable();
    check_eq(user_call(user_load, 7), 7);
}
