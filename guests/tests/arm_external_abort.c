/* @title  external aborts
 * @fact   where a guest-physical address has nothing behind it, a read, a write, a fetch and the walk of page tables that lie there
 *         abort synchronously, from the kernel and from user mode; the syndrome has a class and nothing else, neither a status nor
 *         that it was a write, and AArch32 is told of a debug event
 * @source Xen 4.17, xen/arch/arm/traps.c (do_trap_stage2_abort_guest, inject_abt64_exception, inject_abt32_exception)
 * @env    arm64 arm32
 */
#include <guest.h>

enum { NOWHERE = 0x3f000000 };                          /* between the machine's devices and its RAM */
#ifdef __aarch64__
enum { FETCH = EC_IABT, FETCH_USER = EC_IABT_USER };
#else
enum { FETCH = EC_BKPT32, FETCH_USER = EC_BKPT32 };     /* as which the library knows a prefetch abort with that status */
#endif

static void read_it(void *p) { (void)*(volatile uint32_t *)p; }
static void write_it(void *p) { *(volatile uint32_t *)p = 1; }
static void run_it(void *p) { ((void (*)(void))p)(); }
static unsigned long user_read(unsigned long p) { return *(volatile uint32_t *)p; }
static unsigned long user_run(unsigned long p) { return ((unsigned long (*)(unsigned long))p)(3); }

static char *window;

static void expect(const struct fault *f, unsigned vector)
{
    check_fault_iss(f, vector, FSC_INJECTED);
    check_eq(f->far, window);
}

/* Each kind of access. */
static void all(void)
{
    struct fault *f = fault_arm();

    fault_probe(read_it, window);
    expect(f, EC_DABT);
    f = fault_arm();
    fault_probe(write_it, window);
    expect(f, EC_DABT);
    f = fault_arm();
    fault_probe(run_it, window);
    expect(f, FETCH);
    check_eq(f->ip, window);
    f = fault_arm();
    user_call(user_read, (unsigned long)window);
    expect(f, EC_DABT_USER);
    f = fault_arm();
    user_call(user_run, (unsigned long)window);
    expect(f, FETCH_USER);
}

#ifndef __aarch64__
/* With the registers of short descriptors; without an MMU, for the library has no such tables. */
static void short_status(void)
{
    uint32_t control = cp15_read(0, 1, 0, 0), tables = cp15_read(0, 2, 0, 2), status;
    struct fault *f = fault_arm();

    irq_disable();
    arch_barrier();
    cp15_write(0, 1, 0, 0, control & ~1u);
    cp15_write(0, 2, 0, 2, 0);                          /* TTBCR.EAE */
    arch_isb();
    __asm__ volatile(FAULTING("str %0, [%0]") : : "r"(NOWHERE) : "memory");
    status = cp15_read(0, 5, 0, 0);
    cp15_write(0, 2, 0, 2, tables);
    cp15_write(0, 1, 0, 0, control);
    arch_isb();
    irq_enable();
    check_fault(f, EC_DABT, 2);
    check_eq(status, 2);
    check_eq(f->far, NOWHERE);
}
#endif

void test_main(void)
{
    uint64_t mapped = PTE_PAGE | PTE_NORMAL | PTE_ALL | PTE_AF | NOWHERE;

    window = (char *)0x44000000;                        /* whose tables nothing else needs */
    uint64_t *entry = pt_entry(window, 2), table = *entry;
    /* Rights come before what is there. (Where user mode may write, AArch64's kernel does not execute.) */
    pt_set(window, mapped | PTE_READONLY);
    struct fault *f = fault_arm();

    fault_probe(write_it, window);
    check_fault(f, EC_DABT, FSC_PERMISSION | 3);
    f = fault_arm();
    fault_probe(run_it, window);
    expect(f, FETCH);
    f = fault_arm();
    user_call(user_run, (unsigned long)window);
    expect(f, FETCH_USER);
    f = fault_arm();
    fault_probe(read_it, window);
    expect(f, EC_DABT);
    pt_set(window, mapped | PTE_NEVER);
    f = fault_arm();
    fault_probe(write_it, window);
    expect(f, EC_DABT);
    f = fault_arm();
    user_call(user_read, (unsigned long)window);
    expect(f, EC_DABT_USER);

    /* The table of pages is nowhere. */
    *(volatile uint64_t *)entry = NOWHERE | PTE_TABLE;
    arch_tlb_flush_all();
    all();
    *(volatile uint64_t *)entry = table;
    arch_tlb_flush_all();
    pt_set(window, PTE_DATA | (uintptr_t)page_alloc());
    f = fault_arm();
    fault_probe(read_it, window);
    check_no_fault(f);
#ifndef __aarch64__
    short_status();
#endif
}
