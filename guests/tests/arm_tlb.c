/* @title  TLB maintenance
 * @fact   what an invalidation names is looked up anew afterwards, on every vcpu for the inner shareable forms; a mapping that
 *         was not there needs none
 * @source Arm DDI 0487, D8.13; DDI 0406C, B3.10
 * @env    arm64 arm32
 * @vcpus  2
 */
#include <guest.h>

static char *window, *pages[2];
static volatile unsigned turn, seen;

static void other(void *unused)
{
    (void)unused;
    for (unsigned n = 1; n <= 8; n++) {
        while (turn != n)
            hcall(sched_op, SCHEDOP_yield, 0);
        seen = (unsigned)READ_ONCE(window[0]) << 8 | n;
    }
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

    require_eq(vcpu_start(1, other, NULL), 0);
    for (unsigned n = 1; n <= 8; n++) {
        pt_set(window, entry_of(pages[n & 1]));
        turn = n;
        for (unsigned i = 0; (seen & 0xff) != n && i < 10000; i++)
            hcall(sched_op, SCHEDOP_yield, 0);
        check_eq(seen, ((unsigned)'a' + (n & 1)) << 8 | n);
    }
}
