/* @title  #AC
 * @fact   in ring 3, with CR0.AM and EFLAGS.AC, an access that is not aligned is #AC(0) at the instruction; without one of the three
 *         it is none
 * @source Intel SDM vol. 3A 6.15 (interrupt 17), 2.5 (AM)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

static uint64_t area[4];

static unsigned long with_ac(unsigned long (*fn)(void))
{
    unsigned long flags = x86_flags();

    x86_set_flags(flags | X86_EFLAGS_AC);
    unsigned long result = fn();
    x86_set_flags(flags);
    return result;
}

#define ACCESS(name, insn, at) \
    static unsigned long name##_fn(void) { __asm__ volatile(insn : : "a"((char *)area + (at)) : "cx", "memory", "cc"); return 7; } \
    static unsigned long name(unsigned long ac) { return ac ? with_ac(name##_fn) : name##_fn(); }
ACCESS(word, "movw (%%" ARCH_ACCUMULATOR "), %%cx", 1)
ACCESS(long_read, "movl (%%" ARCH_ACCUMULATOR "), %%ecx", 2)
ACCESS(long_write, "movl %%ecx, (%%" ARCH_ACCUMULATOR ")", 5)
ACCESS(modify, "incl (%%" ARCH_ACCUMULATOR ")", 3)
ACCESS(locked, "lock incl (%%" ARCH_ACCUMULATOR ")", 2)
ACCESS(exchange, "xchg %%ecx, (%%" ARCH_ACCUMULATOR ")", 3)
ACCESS(aligned_word, "movw (%%" ARCH_ACCUMULATOR "), %%cx", 2)
ACCESS(aligned_long, "movl (%%" ARCH_ACCUMULATOR "), %%ecx", 4)
ACCESS(byte, "movb (%%" ARCH_ACCUMULATOR "), %%cl", 3)

static void quiet(unsigned long (*fn)(unsigned long), bool ac)
{
    struct fault *f = fault_arm();

    check_eq(user_call(fn, ac), 7);
    check_no_fault(f);
}

static void raised(unsigned long (*fn)(unsigned long))
{
    struct fault *f = fault_arm();

    user_call(fn, true);
    check_fault(f, X86_EXC_AC, 0);
    check_eq(f->cs, USER_CS);
    check(f->flags & X86_EFLAGS_AC);
}

void test_main(void)
{
    static unsigned long (*const misaligned[])(unsigned long) = { word, long_read, long_write, modify, locked, exchange };
    static unsigned long (*const others[])(unsigned long) = { aligned_word, aligned_long, byte };
    unsigned long cr0 = read_cr0();

    for (unsigned i = 0; i < ARRAY_SIZE(misaligned); i++) {
        write_cr0(cr0 & ~(unsigned long)X86_CR0_AM);
        quiet(misaligned[i], true);
        write_cr0(cr0 | X86_CR0_AM);
        quiet(misaligned[i], false);
        raised(misaligned[i]);
        struct fault *f = fault_arm();
        check_eq(misaligned[i](true), 7);                        /* ring 0 */
        check_no_fault(f);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        quiet(others[i], true);
    write_cr0(cr0);
}
