/* @title  TLB maintenance
 * @fact   what an invalidation names is looked up anew afterwards, on all four vcpus for each of the inner shareable forms; a
 *         mapping that was not there needs none
 * @source Arm DDI 0487, D8.13; DDI 0406C, B3.10
 * @env    arm64 arm32
 * @vcpus  4
 */
#include <guest.h>

enum { CPUS = 4, ROUNDS = 12 };
static char *window, *pages[2];
static volatile unsigned turn, seen[CPUS];

static void other(void *unused)
{
    unsigned id = this_cpu()->id;

    (void)unused;
    for (unsigned n = 1; n <= ROUNDS; n++) {
        while (turn != n)
            hcall(sched_op, SCHEDOP_yield, 0);
        seen[id] = (unsigned)READ_ONCE(window[0]) << 8 | n;
    }
}

/* One form a round. The address space is number 0. */
static void invalidate(unsigned form)
{
    arch_barrier();
#ifdef __aarch64__
#define TLBI(form) __asm__ volatile("tlbi " form "is, %0" : : "r"((uint64_t)window >> PAGE_SHIFT) : "memory")
    switch (form) {
    case 0: TLBI("vae1"); break;
    case 1: TLBI("vale1"); break;
    case 2: TLBI("vaae1"); break;
    case 3: TLBI("vaale1"); break;
    case 4: __asm__ volatile("tlbi aside1is, xzr" : : : "memory"); break;
    default: __asm__ volatile("tlbi vmalle1is" : : : "memory"); break;
    }
#else
    switch (form) {
    case 0: cp15_write(0, 8, 3, 1, window); break;      /* TLBIMVAIS */
    case 1: cp15_write(0, 8, 3, 2, 0); break;           /* TLBIASIDIS */
    case 2: cp15_write(0, 8, 3, 3, window); break;      /* TLBIMVAAIS */
    default: cp15_write(0, 8, 3, 0, 0); break;          /* TLBIALLIS */
    }
#endif
    arch_barrier();
    arch_isb();
}

static void look(void *p) { (void)*(volatile char *)p; }

static uint64_t entry_of(const char *page)
{
    return PTE_DATA | (uintptr_t)page;
}

void test_main(void)
{
    window = page_alloc();
    for (unsigned i = 0; i < 2; i++) {
        pages[i] = page_alloc();
        pages[i][0] = (char)('a' + i);
    }
    for (unsigned n = 0; n < 10; n++) {
        pt_set(window, entry_of(pages[n & 1]));
        check_eq(READ_ONCE(window[0]), 'a' + (n & 1));
    }
    /* The whole TLB at once. */
    *(volatile uint64_t *)pt_entry(window, 3) = entry_of(pages[0]);
    arch_tlb_flush_all();
    check_eq(READ_ONCE(window[0]), 'a');
    /* Nothing that faulted is kept. */
    struct fault *f = fault_arm();

    pt_set(window, 0);
    check(!fault_probe(look, window));
    check_fault(f, EC_DABT, FSC_TRANSLATION | 3);
    *(volatile uint64_t *)pt_entry(window, 3) = entry_of(pages[1]);
    arch_barrier();
    arch_isb();
    check_eq(READ_ONCE(window[0]), 'b');

    /* Each has what was there in the round before. */
    for (unsigned id = 1; id < CPUS; id++)
        require_eq(vcpu_start(id, other, NULL), 0);
    for (unsigned n = 1; n <= ROUNDS; n++) {
        *(volatile uint64_t *)pt_entry(window, 3) = entry_of(pages[n & 1]) | PTE_NG;
        invalidate(n % 6);
        check_eq(READ_ONCE(window[0]), 'a' + (n & 1));
        turn = n;
        for (unsigned id = 1; id < CPUS; id++) {
            for (unsigned i = 0; (seen[id] & 0xff) != n && i < 10000; i++)
                hcall(sched_op, SCHEDOP_yield, 0);
            check_eq(seen[id], ((unsigned)'a' + (n & 1)) << 8 | n);
        }
    }
}
