/* @title  IRET that refuses
 * @fact   CS and SS that IRET finds on the stack are checked, the error code names the selector and nothing has changed; data
 *         segments that the outer ring may not use become null; IOPL and IF are kept where the ring may not change them
 * @source Intel SDM vol. 2A IRET/IRETD (operation), vol. 3A 6.13
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>

enum { SPARE = SPARE_SELECTOR, BEYOND = 0x7f8 };
static unsigned long user_stack[64];

#ifdef __x86_64__
#define IRET "iretq"
#define SAVE "mov %%rsp, %%r12\n\t"
#define CHECK_SAME "mov %%rsp, %%r13\n\tmov %%r12, %%rsp\n\tsub %%r13, %%r12\n\tmov %%r12, %0\n\t"
#define SAVED "r12", "r13"
#else
#define IRET "iret"
#define SAVE "mov %%esp, %%esi\n\t"
#define CHECK_SAME "mov %%esp, %%edi\n\tmov %%esi, %%esp\n\tsub %%edi, %%esi\n\tmov %%esi, %0\n\t"
#define SAVED "esi", "edi"
#endif

static void expect(unsigned long cs, unsigned long ss, unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();
    unsigned long pushed;
    struct { unsigned long ss, sp, flags, cs; } image = { ss, (unsigned long)(user_stack + 60), x86_flags(), cs };

    __asm__ volatile(SAVE "push %c2(%1)\n\tpush %c3(%1)\n\tpush %c4(%1)\n\tpush %c5(%1)\n\tpush $0\n\t" FAULTING(IRET) CHECK_SAME
                     : "=m"(pushed) : "b"(&image), "i"(offsetof(__typeof__(image), ss)), "i"(offsetof(__typeof__(image), sp)),
                     "i"(offsetof(__typeof__(image), flags)), "i"(offsetof(__typeof__(image), cs)) : SAVED, "memory", "cc");
    if (f->count != 1 || f->vector != vector || f->error != error)
        printf("cs %lx ss %lx: ", cs, ss);
    check_fault(f, vector, error);
    check(!f->behind);
    check_eq(f->cs, KERNEL_CS);
    check_eq(pushed, 5 * sizeof(long));
}

static unsigned long user_segments(unsigned long x) { (void)x; return (unsigned long)x86_fs() << 16 | x86_gs(); }
static unsigned long user_flags(unsigned long set)
{
    x86_set_flags(x86_flags() ^ set);
    return x86_flags();
}

void test_main(void)
{
    expect(0, KERNEL_SS, X86_EXC_GP, 0);
    expect(BEYOND, KERNEL_SS, X86_EXC_GP, BEYOND);
    expect(KERNEL_SS, KERNEL_SS, X86_EXC_GP, KERNEL_SS);
    expect(TSS_SELECTOR, KERNEL_SS, X86_EXC_GP, TSS_SELECTOR);
    expect(KERNEL_CS | 3, USER_SS, X86_EXC_GP, KERNEL_CS);
    expect(USER_CS & ~3u, KERNEL_SS, X86_EXC_GP, USER_CS & ~3u);
    gdt_put(SPARE, flat_descriptor((DESC_CODE & ~DESC_ABSENT) | DESC_DPL3, DESC_MODE));
    expect(SPARE | 3, USER_SS, X86_EXC_NP, SPARE);
    expect(USER_CS, 0, X86_EXC_GP, 0);
    expect(USER_CS, BEYOND | 3, X86_EXC_GP, BEYOND);
    expect(USER_CS, USER_SS & ~3u, X86_EXC_GP, USER_SS & ~3u);
    expect(USER_CS, KERNEL_SS | 3, X86_EXC_GP, KERNEL_SS);
    expect(USER_CS, USER_CS, X86_EXC_GP, USER_CS & ~3u);
    gdt_put(SPARE, flat_descriptor(DESC_DATA_READONLY | DESC_DPL3, DESC_B));
    expect(USER_CS, SPARE | 3, X86_EXC_GP, SPARE);
    gdt_put(SPARE, flat_descriptor((DESC_DATA & ~DESC_ABSENT) | DESC_DPL3, DESC_B));
    expect(USER_CS, SPARE | 3, X86_EXC_SS, SPARE);
#ifdef __x86_64__
    struct fault *f = fault_arm();
    unsigned long pushed;
    __asm__ volatile(SAVE "push %1\n\tpush %2\n\tpushf\n\tpush %3\n\tpush $0\n\tpushf\n\torl $0x4000, (%%rsp)\n\tpopf\n\t" FAULTING(IRET) CHECK_SAME
                     : "=m"(pushed) : "i"(KERNEL_SS), "r"(user_stack), "i"(KERNEL_CS) : SAVED, "memory", "cc");
    check_fault(f, X86_EXC_GP, 0);               /* NT: there are no tasks */
    x86_set_flags(x86_flags() & ~(unsigned long)X86_EFLAGS_NT);
#endif

    gdt_put(SPARE, flat_descriptor(DESC_CONFORMING, DESC_MODE));
    __asm__ volatile("mov %w0, %%fs" : : "r"(KERNEL_SS));
    __asm__ volatile("mov %w0, %%gs" : : "r"(USER_SS));
    check_eq(user_call(user_segments, 0), USER_SS);
    __asm__ volatile("mov %w0, %%gs" : : "r"(SPARE));
    check_eq(user_call(user_segments, 0), SPARE);                /* conforming code stays */

    unsigned long flags = user_call(user_flags, X86_EFLAGS_IF | X86_EFLAGS_IOPL | X86_EFLAGS_ID | X86_EFLAGS_AC);
    check_eq(flags & (X86_EFLAGS_IF | X86_EFLAGS_IOPL), X86_EFLAGS_IF);
    check((flags & X86_EFLAGS_ID) && (flags & X86_EFLAGS_AC));
}
