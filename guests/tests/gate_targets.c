/* @title  where gates lead
 * @fact   a gate whose selector names no present code segment of a suitable ring is #GP or #NP with that selector, 0 for a null
 *         one; for an exception with the EXT bit; a fault of that kind while #DE is delivered is #DF
 * @source Intel SDM vol. 3A 6.12.1, 6.13, 6.15 (interrupt 8), vol. 2A INT n (operation)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>

enum { N = 0x90, EXT = 1, SPARE = SPARE_SELECTOR, BEYOND = 0x7f8 };

static void expect(unsigned selector, unsigned vector, unsigned long error)
{
    struct gate *gate = trap_gate_address(N), *ud = trap_gate_address(X86_EXC_UD);
    struct fault *f = fault_arm();
    uint16_t old = ud->selector;

    gate->selector = (uint16_t)selector;
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, vector, error);
    check(!f->behind);
    ud->selector = (uint16_t)selector;
    f = fault_arm();
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, vector, error | EXT);
    ud->selector = old;
}

void test_main(void)
{
    struct gate *de = trap_gate_address(X86_EXC_DE);
    struct fault *f;

    expect(0, X86_EXC_GP, 0);
    expect(3, X86_EXC_GP, 0);
    expect(BEYOND, X86_EXC_GP, BEYOND);
    expect(KERNEL_SS, X86_EXC_GP, KERNEL_SS);
    expect(TSS_SELECTOR, X86_EXC_GP, TSS_SELECTOR);
    expect(USER_CS, X86_EXC_GP, USER_CS & ~3u);
    expect(KERNEL_CS | 4, X86_EXC_GP, KERNEL_CS | 4);        /* of an LDT, and there is none */
    gdt_put(SPARE, flat_descriptor(DESC_CODE & ~DESC_ABSENT, DESC_MODE));
    expect(SPARE, X86_EXC_NP, SPARE);
#ifdef __x86_64__
    gdt_put(SPARE, flat_descriptor(DESC_CODE, DESC_B));      /* 32-bit code */
    expect(SPARE, X86_EXC_GP, SPARE);
    gdt_put(SPARE, flat_descriptor(DESC_CODE, DESC_L | DESC_B));
    expect(SPARE, X86_EXC_GP, SPARE);
#endif

    gdt_put(SPARE, flat_descriptor(DESC_CODE, DESC_MODE));
    ((struct gate *)trap_gate_address(N))->selector = SPARE + 3;     /* RPL does not matter */
    f = fault_arm();
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, N, 0);

    de->type &= 0x7f;
    f = fault_arm();
    __asm__ volatile(FAULTING("divb %%cl") : : "a"(1), "c"(0) : "cc");
    check_fault(f, X86_EXC_DF, 0);
}
