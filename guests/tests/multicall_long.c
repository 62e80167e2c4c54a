/* @title  long multicalls
 * @fact   a list that is longer than is done at once goes on where it stopped, whoever serves its entries; where the
 *         list cannot be read or written it ends with EFAULT, and what was done stays done
 * @source xen/common/multicall.c
 * @env    pv64
 * @memory 32
 */
#include <guest.h>

enum { ENTRIES = 1000, PAGE_ENTRIES = 4096 / sizeof(struct multicall_entry) };

static struct multicall_entry calls[ENTRIES] __attribute__((aligned(4096)));

static void fill(unsigned count)
{
    memset(calls, 0, sizeof(calls));
    for (unsigned i = 0; i < count; i++) {
        bool python = i % 7 == 3;

        calls[i].op = python ? __HYPERVISOR_xen_version : __HYPERVISOR_fpu_taskswitch;
        calls[i].args[0] = python ? 7 : 0;   /* XENVER_pagesize */
        calls[i].result = 0x5555;
    }
}

/* How many entries from the first on have their result. */
static unsigned done(void)
{
    unsigned n = 0;

    while (n < ENTRIES && (long)calls[n].result == (calls[n].op == __HYPERVISOR_xen_version ? 4096 : 0))
        n++;
    return n;
}

void test_main(void)
{
    fill(ENTRIES);
    check_eq(hcall(multicall, calls, ENTRIES), 0);
    check_eq(done(), ENTRIES);

    /* The third page of the list is gone: the entries of two pages are done. */
    void *third = &calls[2 * PAGE_ENTRIES];
    uint64_t mfn = virt_to_mfn(third);

    fill(ENTRIES);
    check_eq(hcall(update_va_mapping, third, 0, UVMF_INVLPG), 0);
    check_eq(hcall(multicall, calls, ENTRIES), -XEN_EFAULT);
    check_eq(hcall(update_va_mapping, third, pte_make(mfn, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D), UVMF_INVLPG), 0);
    check_eq(done(), 2 * PAGE_ENTRIES);

    /* The second page can be read only: its first entry is carried out, and its result is lost. */
    void *second = &calls[PAGE_ENTRIES];

    fill(ENTRIES);
    mfn = virt_to_mfn(second);
    check_eq(hcall(update_va_mapping, second, pte_make(mfn, PTE_P | PTE_US | PTE_A), UVMF_INVLPG), 0);
    check_eq(hcall(multicall, calls, ENTRIES), -XEN_EFAULT);
    check_eq(done(), PAGE_ENTRIES);
    check_eq((long)calls[PAGE_ENTRIES].result, 0x5555);
}
