/* @title  #PF of a whole processor
 * @fact   the error code tells present, write, user, reserved and, with NX, fetch; CR0.WP decides for ring 0; accessed and dirty bits are set by
 *         the processor; INVLPG, and CR3 and CR4.PGE, forget translations
 * @source Intel SDM vol. 3A 4.6, 4.7, 4.8, 4.10.4
 * @env    pvh64 hvm64 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

#if PAGING_LEVELS == 2
enum { LARGE = 0x400000 };
typedef uint32_t entry;
#define ENTRY_NX 0
#else
enum { LARGE = 0x200000 };
typedef uint64_t entry;
#define ENTRY_NX PTE_NX
#endif
extern entry page_l2[];
#define WINDOW 0x40000000UL
#define PAGE ((volatile uint8_t *)WINDOW + 0x123)
enum { PTE_G_ = 0x100, RESERVED_BIT = 13 };
static const unsigned long fetch_bit = PAGING_LEVELS == 2 ? 0 : PFEC_insn_fetch;
static volatile entry *const slot = &page_l2[WINDOW / LARGE];

static void map(unsigned long flags)
{
    *slot = (entry)LARGE | (entry)(PTE_P | PTE_PS) | (entry)flags;
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
}

static unsigned long user_read(unsigned long x) { return *(volatile uint8_t *)x; }
static unsigned long user_write(unsigned long x) { *(volatile uint8_t *)x = 1; return 1; }
static unsigned long user_jump(unsigned long x) { ((void (*)(void))x)(); return 1; }
static void kernel_read(void *x) { *(volatile uint8_t *)x; }
static void kernel_write(void *x) { *(volatile uint8_t *)x = 2; }
static void kernel_jump(void *x) { ((void (*)(void))x)(); }

static void expect(void (*fn)(void *), long error)
{
    struct fault *f = fault_arm();

    fault_probe(fn, (void *)PAGE);
    if (error < 0) {
        check_no_fault(f);
        return;
    }
    check_fault(f, X86_EXC_PF, error);
    check_eq(f->address, (unsigned long)PAGE);
}

static void user(unsigned long (*fn)(unsigned long), long error)
{
    struct fault *f = fault_arm();

    user_call(fn, (unsigned long)PAGE);
    if (error < 0) {
        check_no_fault(f);
        return;
    }
    check_fault(f, X86_EXC_PF, error);
    check_eq(f->address, (unsigned long)PAGE);
    check_eq(f->cs, USER_CS);
}

void test_main(void)
{
    enum { P = PFEC_page_present, W = PFEC_write_access, U = PFEC_user_mode, R = PFEC_reserved_bit, NONE = -1 };
    volatile uint8_t *memory = (uint8_t *)(unsigned long)LARGE + 0x123;

    *memory = 0xc3;                                              /* ret */
    *slot = 0;
    expect(kernel_read, 0);
    expect(kernel_write, W);
    expect(kernel_jump, (long)fetch_bit);
    user(user_read, U);
    user(user_write, U | W);
    user(user_jump, U | (long)fetch_bit);

    map(PTE_RW);
    check_eq(*slot & (PTE_A | PTE_D), 0);
    expect(kernel_read, NONE);
    check_eq(*slot & (PTE_A | PTE_D), PTE_A);
    expect(kernel_jump, NONE);
    user(user_read, U | P);
    user(user_write, U | P | W);
    user(user_jump, U | P | (long)fetch_bit);
    check_eq(*slot & (PTE_A | PTE_D), PTE_A);
    expect(kernel_write, NONE);
    check_eq(*slot & (PTE_A | PTE_D), PTE_A | PTE_D);
    *memory = 0xc3;

    map(PTE_US);
    user(user_read, NONE);
    user(user_jump, NONE);
    user(user_write, U | P | W);
    expect(kernel_write, P | W);
    write_cr0(read_cr0() & ~(unsigned long)X86_CR0_WP);
    expect(kernel_write, NONE);
    user(user_write, U | P | W);
    write_cr0(read_cr0() | X86_CR0_WP);
    *memory = 0xc3;
#if PAGING_LEVELS != 2
    map(PTE_US | PTE_RW);
    *slot |= ENTRY_NX;
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
    user(user_read, NONE);
    user(user_jump, U | P | (long)fetch_bit);
    expect(kernel_jump, P | (long)fetch_bit);
#endif
    map(PTE_US | PTE_RW);
    *slot |= (entry)1 << (PAGING_LEVELS == 2 ? 21 : RESERVED_BIT);
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
    expect(kernel_read, P | R);
    user(user_write, U | P | R | W);

    /* Stale translations are the processor's to keep or to drop; dropped they are by INVLPG, and by CR3 but for global ones. */
    map(PTE_US | PTE_RW);
    (void)*PAGE;
    *slot = 0;
    write_cr3(read_cr3());
    expect(kernel_read, 0);
    map(PTE_US | PTE_RW | PTE_G_);
    (void)*PAGE;
    *slot = 0;
    __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
    expect(kernel_read, 0);
    map(PTE_US | PTE_RW | PTE_G_);
    (void)*PAGE;
    *slot = 0;
    write_cr4(read_cr4() & ~(unsigned long)X86_CR4_PGE);
    expect(kernel_read, 0);
    write_cr4(read_cr4() | X86_CR4_PGE);
}
