/* @title  over the end of a page
 * @fact   what goes over the end of a mapped page faults with the address of the first byte that is not there: instructions at
 *         themselves, with the fetch bit where NX is on; stores before they have written anything; string instructions with
 *         what they have done; stack instructions with the stack pointer as it was
 * @source Intel SDM vol. 3A 4.7, 6.5, 6.15 (interrupt 14), vol. 2 REP
 * @env    pvh64 hvm64 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

/* At 1 GiB: one large page of RAM, and nothing behind it. */
#if PAGING_LEVELS == 2
enum { LARGE = 0x400000 };
typedef uint32_t entry;
#else
enum { LARGE = 0x200000 };
typedef uint64_t entry;
#endif
extern entry page_l2[];
#define WINDOW 0x40000000UL
#define END ((uint8_t *)WINDOW + LARGE)
static const unsigned long fetch_bit = PAGING_LEVELS == 2 ? 0 : PFEC_insn_fetch;

#define KEEP "mov %%" ARCH_STACK_POINTER ", %%" ARCH_KEPT "\n\t"
/* %0: by how much the stack pointer has moved. */
#define MOVED "mov %%" ARCH_STACK_POINTER ", %0\n\tsub %%" ARCH_KEPT ", %0\n\tmov %%" ARCH_KEPT ", %%" ARCH_STACK_POINTER

static void call_code(void *code) { ((void (*)(void))code)(); }

static void expect(const struct fault *f, unsigned long error)
{
    check_fault(f, X86_EXC_PF, error);
    check_eq(f->address, (unsigned long)END);
    check(!f->behind);
}

void test_main(void)
{
    struct fault *f;
    unsigned index = (unsigned)(WINDOW / LARGE);

    page_l2[index] = (entry)(LARGE | PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_PS);
    page_l2[index + 1] = 0;
    write_cr3(read_cr3());

    static const uint8_t code[] = { 0xb8, 1, 2, 3, 4, 0xc3 };
    for (unsigned inside = 1; inside <= sizeof(code); inside++) {
        memcpy(END - inside, code, inside);
        f = fault_arm();
        if (inside == sizeof(code)) {
            check(fault_probe(call_code, END - inside));
            check_no_fault(f);
            continue;
        }
        check(!fault_probe(call_code, END - inside));
        check_fault(f, X86_EXC_PF, fetch_bit);
        check_eq(f->address, (unsigned long)END);
        check_eq(f->ip, (unsigned long)END - (inside == 5 ? 0 : inside));
    }

    memset(END - 16, 0x11, 16);
    f = fault_arm();
    __asm__ volatile(FAULTING("movl -2(%0), %%ecx") : : "r"(END) : "ecx");
    expect(f, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("movl $-1, -2(%0)") : : "r"(END) : "memory");
    expect(f, PFEC_write_access);
    f = fault_arm();
    __asm__ volatile(FAULTING("addl $1, -2(%0)") : : "r"(END) : "memory", "cc");
    check(f->count == 1 && f->vector == X86_EXC_PF && f->address == (unsigned long)END);
    for (unsigned i = 1; i <= 16; i++)
        check_eq(END[-(int)i], 0x11);
    f = fault_arm();
    __asm__ volatile(FAULTING("movups %%xmm0, -8(%0)") : : "r"(END) : "memory");
    expect(f, PFEC_write_access);
    f = fault_arm();
    __asm__ volatile(FAULTING("fstpt -4(%0)") : : "r"(END) : "memory");
    expect(f, PFEC_write_access);
    f = fault_arm();
    __asm__ volatile(FAULTING("fxsave -64(%0)") : : "r"(END) : "memory");
    expect(f, PFEC_write_access);
    f = fault_arm();
    __asm__ volatile(FAULTING("fxrstor -64(%0)") : : "r"(END) : "memory");
    expect(f, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("fnsave -32(%0)") : : "r"(END) : "memory");
    expect(f, PFEC_write_access);
    f = fault_arm();
    __asm__ volatile(FAULTING("cmpxchg8b -4(%0)") : : "S"(END), "a"(0), "d"(0), "b"(0), "c"(0) : "memory", "cc");
    check(f->count == 1 && f->vector == X86_EXC_PF && f->address == (unsigned long)END);
    f = fault_arm();
    __asm__ volatile(FAULTING("lidt -3(%0)") : : "r"(END));
    expect(f, 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("sgdt -3(%0)") : : "r"(END) : "memory");
    expect(f, PFEC_write_access);

    /* Three of five bytes; then a word of which one byte is there. */
    uint8_t *to = END - 3;
    const uint8_t *from = code;
    unsigned long count = 5;
    f = fault_arm();
    __asm__ volatile("cld\n\t" FAULTING("rep movsb") : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    expect(f, PFEC_write_access);
    check_eq((unsigned long)to, (unsigned long)END);
    check_eq(count, 2);
    check_eq((unsigned long)from, (unsigned long)code + 3);
    check_eq(END[-1], code[2]);
    to = END - 5;
    count = 4;
    f = fault_arm();
    __asm__ volatile("cld\n\t" FAULTING("rep stosw") : "+D"(to), "+c"(count) : "a"(0x2222) : "memory");
    expect(f, PFEC_write_access);
    check_eq((unsigned long)to, (unsigned long)END - 1);
    check_eq(count, 2);
    check_eq(END[-1], code[2]);

    /* The operand of PUSH and POP. */
    unsigned long sp;
    f = fault_arm();
    __asm__ volatile(KEEP FAULTING("push -2(%1)") MOVED
                     : "=&r"(sp) : "r"(END) : ARCH_KEPT, "memory", "cc");
    expect(f, 0);
    check_eq(sp, 0);
    f = fault_arm();
    __asm__ volatile(KEEP FAULTING("pop -2(%1)") MOVED
                     : "=&r"(sp) : "r"(END) : ARCH_KEPT, "memory", "cc");
    expect(f, PFEC_write_access);
    check_eq(sp, 0);
}
