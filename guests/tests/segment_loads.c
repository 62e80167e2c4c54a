/* @title  loads of segment registers
 * @fact   what a segment register may hold follows from the descriptor and the ring; else #GP, for an absent segment #NP, and of
 *         SS #SS, with the selector; the accessed bit is set; LLDT and LTR have checks of their own; LAR and LSL only say no
 * @source Intel SDM vol. 2 MOV, LLDT, LTR, LAR, LSL, VERR, vol. 3A 5.4.1, 5.6, 5.7
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>

enum { SPARE = SPARE_SELECTOR, LDT = SPARE_SELECTOR + 16, BEYOND = 0x7f8, ZF = X86_EFLAGS_ZF };

/* And back to what C needs. */
#define LOADS(what) what(ds) what(es) what(fs) what(gs) what(ss)
#define LOAD(name) \
    static void load_##name(unsigned selector) \
    { \
        __asm__ volatile(FAULTING("mov %w0, %%" #name) "mov %w1, %%" #name : : "r"(selector), "r"(KERNEL_SS) : "memory"); \
    }
LOADS(LOAD)
static void lldt(unsigned selector) { __asm__ volatile(FAULTING("lldt %w0") : : "r"(selector) : "memory"); }
static void ltr(unsigned selector) { __asm__ volatile(FAULTING("ltr %w0") : : "r"(selector) : "memory"); }

static void refused(void (*load)(unsigned), unsigned selector, unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();

    load(selector);
    if (f->count != 1 || f->vector != vector || f->error != error)
        printf("selector %x: ", selector);
    check_fault(f, vector, error);
}

static void accepted(void (*load)(unsigned), unsigned selector)
{
    struct fault *f = fault_arm();

    load(selector);
    check_no_fault(f);
}

static unsigned long user_ss_null(unsigned long x) { __asm__ volatile("mov %w0, %%ss" : : "r"(0)); return x; }
static unsigned long user_kernel_ds(unsigned long x) { __asm__ volatile("mov %w0, %%ds" : : "r"(KERNEL_SS)); return x; }

static bool lar(unsigned selector, unsigned long *rights)
{
    bool yes;

    __asm__ volatile("lar %2, %0" : "+r"(*rights), "=@ccz"(yes) : "r"((unsigned long)selector));
    return yes;
}

static bool lsl(unsigned selector, unsigned long *limit)
{
    bool yes;

    __asm__ volatile("lsl %2, %0" : "+r"(*limit), "=@ccz"(yes) : "r"((unsigned long)selector));
    return yes;
}

void test_main(void)
{
    static void (*const data[])(unsigned) = { load_es, load_fs, load_gs, load_ds };
    struct fault *f;
    unsigned long value = 0x1234;

    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        accepted(data[i], 0);
        accepted(data[i], 3);
        accepted(data[i], KERNEL_CS);
        accepted(data[i], KERNEL_SS);
        refused(data[i], BEYOND, X86_EXC_GP, BEYOND);
        refused(data[i], SPARE | 4 | 3, X86_EXC_GP, SPARE | 4);
        refused(data[i], TSS_SELECTOR, X86_EXC_GP, TSS_SELECTOR);
        refused(data[i], KERNEL_SS | 3, X86_EXC_GP, KERNEL_SS);
        gdt_put(SPARE, flat_descriptor(DESC_DATA & ~DESC_ABSENT, DESC_B));
        refused(data[i], SPARE, X86_EXC_NP, SPARE);
        gdt_put(SPARE, flat_descriptor(DESC_CODE_UNREADABLE, DESC_MODE));
        refused(data[i], SPARE, X86_EXC_GP, SPARE);
        gdt_put(SPARE, flat_descriptor(DESC_DATA - 1, DESC_B));
        accepted(data[i], SPARE);
        check_eq(gdt_get(SPARE) >> 40 & 0xff, DESC_DATA);
        data[i](KERNEL_SS);
    }

#ifdef __x86_64__
    accepted(load_ss, 0);
#else
    refused(load_ss, 0, X86_EXC_GP, 0);
#endif
    refused(load_ss, BEYOND, X86_EXC_GP, BEYOND);
    refused(load_ss, KERNEL_CS, X86_EXC_GP, KERNEL_CS);
    refused(load_ss, KERNEL_SS | 3, X86_EXC_GP, KERNEL_SS);
    refused(load_ss, USER_SS, X86_EXC_GP, USER_SS & ~3u);
    gdt_put(SPARE, flat_descriptor(DESC_DATA_READONLY, DESC_B));
    refused(load_ss, SPARE, X86_EXC_GP, SPARE);
    gdt_put(SPARE, flat_descriptor(DESC_DATA & ~DESC_ABSENT, DESC_B));
    refused(load_ss, SPARE, X86_EXC_SS, SPARE);
    accepted(load_ss, KERNEL_SS);
    f = fault_arm();
    __asm__ volatile(FAULTING(".byte 0x8e, 0xc8") : : "a"(KERNEL_CS) : "memory");     /* mov %eax, %cs */
    check_fault(f, X86_EXC_UD, 0);
    f = fault_arm();
    user_call(user_ss_null, 0);
    check_fault(f, X86_EXC_GP, 0);
    f = fault_arm();
    user_call(user_kernel_ds, 0);
    check_fault(f, X86_EXC_GP, KERNEL_SS);

    accepted(lldt, 0);
    refused(lldt, KERNEL_SS, X86_EXC_GP, KERNEL_SS);
    refused(lldt, BEYOND, X86_EXC_GP, BEYOND);
    refused(lldt, SPARE | 4, X86_EXC_GP, SPARE | 4);
    gdt_put(LDT, descriptor(0, 0xfff, DESC_LDT & ~DESC_ABSENT, 0));
    refused(lldt, LDT, X86_EXC_NP, LDT);
    refused(ltr, 0, X86_EXC_GP, 0);
    refused(ltr, TSS_SELECTOR, X86_EXC_GP, TSS_SELECTOR);                             /* busy */
    refused(ltr, KERNEL_SS, X86_EXC_GP, KERNEL_SS);
    refused(ltr, TSS_SELECTOR | 4, X86_EXC_GP, TSS_SELECTOR | 4);
    gdt_put(SPARE, descriptor(0, 0x67, DESC_TSS & ~DESC_ABSENT, 0));
    gdt_put(SPARE + 8, 0);
    refused(ltr, SPARE, X86_EXC_NP, SPARE);

    check(!lar(0, &value) && !lsl(BEYOND, &value) && !lsl(0, &value));
    check_eq(value, 0x1234);
    check(lar(KERNEL_CS, &value));
    check_eq(value >> 8 & 0xff, DESC_CODE);
    check(lsl(KERNEL_SS, &value));
    check_eq(value, 0xffffffff);
    check(lar(USER_SS, &value) && !lar(KERNEL_SS | 3, &value));
}
