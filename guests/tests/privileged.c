/* @title  privileged instructions
 * @fact   what a guest kernel may do is emulated, what it may not is #GP(0) at the instruction
 * @source xen/arch/x86/pv/emul-priv-op.c; Intel SDM vol. 2
 * @env    pv64
 */
#include <guest.h>

#define REFUSED(insn) \
    do { \
        struct fault *refused_f = fault_arm(); \
        __asm__ volatile(FAULTING(insn) : : "a"(table), "c"(0), "d"(0) : "memory", "cc"); \
        if (refused_f->count != 1 || refused_f->vector != X86_EXC_GP || refused_f->error || refused_f->behind) \
            verdict_note(false, __FILE__, __LINE__, "%s: %u exceptions, %s[%lx]", insn, refused_f->count, \
                         vector_name(refused_f->vector), refused_f->error); \
    } while (0)
#define ALLOWED(insn) \
    do { \
        struct fault *allowed_f = fault_arm(); \
        __asm__ volatile(FAULTING(insn) : : "a"(table), "c"(0), "d"(0) : "memory", "cc"); \
        check_no_fault(allowed_f); \
    } while (0)

static unsigned char table[16];

static unsigned long read_cr(unsigned n)
{
    unsigned long v = 0;

    switch (n) {
    case 0: __asm__ volatile("mov %%cr0, %0" : "=r"(v)); break;
    case 2: __asm__ volatile("mov %%cr2, %0" : "=r"(v)); break;
    case 3: __asm__ volatile("mov %%cr3, %0" : "=r"(v)); break;
    case 4: __asm__ volatile("mov %%cr4, %0" : "=r"(v)); break;
    }
    return v;
}

void test_main(void)
{
    unsigned long cr0 = read_cr(0), cr4 = read_cr(4);
    struct fault *f = fault_arm();

    check((cr0 & (X86_CR0_PG | X86_CR0_PE | X86_CR0_WP)) == (X86_CR0_PG | X86_CR0_PE | X86_CR0_WP));
    check(cr4 & X86_CR4_PAE);
    check_eq(read_cr(3) & PTE_FRAME, virt_to_mfn(pt_root()) << PAGE_SHIFT);

    /* cr2 holds what the guest wrote, or the last fault. */
    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(0x4567UL) : "rax", "memory");
    check_eq(read_cr(2), 0x4567);
    __asm__ volatile(FAULTING("mov %0, %%cr2") : : "r"(0x89UL) : "memory");
    check_eq(read_cr(2), 0x89);

    /* CR0: only TS may change. */
    fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr0") : : "r"(cr0 | X86_CR0_TS) : "memory");
    check_no_fault(f);
    check(read_cr(0) & X86_CR0_TS);
    ALLOWED("clts");
    check(!(read_cr(0) & X86_CR0_TS));
    fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr0") : : "r"(cr0 & ~(unsigned long)X86_CR0_PG) : "memory");
    check_fault(f, X86_EXC_GP, 0);
    fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr4") : : "r"(cr4) : "memory");
    check_no_fault(f);

    /* CR3: a checked top table. */
    fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr3") : : "r"(virt_to_mfn(pt_root()) << PAGE_SHIFT) : "memory");
    check_no_fault(f);
    fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr3") : : "r"(virt_to_mfn(table) << PAGE_SHIFT) : "memory");
    check_fault(f, X86_EXC_GP, 0);

    ALLOWED("wbinvd");

    REFUSED("invlpg (%%rax)");
    REFUSED("invd");
    REFUSED("lgdt (%%rax)");
    REFUSED("lidt (%%rax)");
    REFUSED("lldt %%cx");
    REFUSED("ltr %%cx");
    REFUSED("swapgs");
    REFUSED("sysretq");
    REFUSED("sysexitq");
    REFUSED("cli");
    REFUSED("sti");
    REFUSED("mov %%rcx, %%cr8");

    /* Two faults that have names: CR1 and CR5 do not exist. */
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x0f, 0x20, 0xc8") : : : "rax", "memory");
    check(f->count == 1 && (f->vector == X86_EXC_UD || f->vector == X86_EXC_GP));
}
