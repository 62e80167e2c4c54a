/* @title  external aborts
 * @fact   where a guest-physical address has nothing behind it, a read, a write, a fetch and the walk of page tables that lie there
 *         abort synchronously, with a status of their own (a walk's tells the level), from the kernel and from user mode
 * @source Arm DDI 0487, ESR_EL1 (DFSC 0x10, 0x14 and on); DDI 0406C, B3.13.3
 * @env    arm64 arm32
 */
#include <guest.h>

enum { NOWHERE = 0x3f000000 };                          /* between the machine's devices and its RAM */
enum { WALK_LEVEL_3 = FSC_EXTERNAL_WALK | 3 };

static void read_it(void *p) { (void)*(volatile uint32_t *)p; }
static void write_it(void *p) { *(volatile uint32_t *)p = 1; }
static void run_it(void *p) { ((void (*)(void))p)(); }
static unsigned long user_read(unsigned long p) { return *(volatile uint32_t *)p; }
static unsigned long user_run(unsigned long p) { return ((unsigned long (*)(unsigned long))p)(3); }

static char *window;

static void expect(const struct fault *f, unsigned vector, unsigned status, bool write)
{
    check_fault(f, vector, status);
    check_eq(f->far, window);
    check_eq(!!(f->esr & ISS_WNR), write);
}

/* What each kind of access comes to: a status. */
static void all(unsigned status)
{
    struct fault *f = fault_arm();

    fault_probe(read_it, window);
    expect(f, EC_DABT, status, false);
    f = fault_arm();
    fault_probe(write_it, window);
    expect(f, EC_DABT, status, true);
    f = fault_arm();
    fault_probe(run_it, window);
    expect(f, EC_IABT, status, false);
    check_eq(f->ip, window);
    f = fault_arm();
    user_call(user_read, (unsigned long)window);
    expect(f, EC_DABT_USER, status, false);
    f = fault_arm();
    user_call(user_run, (unsigned long)window);
    expect(f, EC_IABT_USER, status, false);
}

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
    check_fault(f, EC_IABT, FSC_EXTERNAL);
    check_eq(f->far, window);
    f = fault_arm();
    user_call(user_run, (unsigned long)window);
    check_fault(f, EC_IABT_USER, FSC_EXTERNAL);
    f = fault_arm();
    fault_probe(read_it, window);
    expect(f, EC_DABT, FSC_EXTERNAL, false);
    pt_set(window, mapped | PTE_NEVER);
    f = fault_arm();
    fault_probe(write_it, window);
    expect(f, EC_DABT, FSC_EXTERNAL, true);
    f = fault_arm();
    user_call(user_read, (unsigned long)window);
    expect(f, EC_DABT_USER, FSC_EXTERNAL, false);

    /* The table of pages is nowhere. */
    *(volatile uint64_t *)entry = NOWHERE | PTE_TABLE;
    arch_tlb_flush_all();
    all(WALK_LEVEL_3);
    *(volatile uint64_t *)entry = table;
    arch_tlb_flush_all();
    pt_set(window, PTE_DATA | (uintptr_t)page_alloc());
    f = fault_arm();
    fault_probe(read_it, window);
    check_no_fault(f);
}
