/* @title  ramdisk
 * @fact   the module given to the domain is in memory: mapped at mod_start, or at the frame mod_start when the kernel
 *         asked for that; `sum=` on the command line is the sum of its bytes, `length=` its length
 * @source xen/include/public/xen.h (start_info.mod_start, SIF_MOD_START_PFN), elfnote.h (MOD_START_PFN)
 * @env    pv64 pv64low pv64p2m
 */
#include <guest.h>

static unsigned char window[4096] __attribute__((aligned(4096)));

void test_main(void)
{
    struct start_info *s = guest_start_info();
    uint64_t sum = 0, own = virt_to_mfn(window);
    bool by_frame = s->flags & SIF_MOD_START_PFN;

    check_eq(s->mod_len, (guest_option("length", 0) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));    /* whole pages */
    if (s->mod_len == 0)
        return;
#ifdef INIT_P2M
    check(by_frame);
#else
    check(!by_frame);
#endif
    for (unsigned long i = 0; i < s->mod_len; i += PAGE_SIZE) {
        const unsigned char *page = (const unsigned char *)s->mod_start + i;
        unsigned long n = s->mod_len - i < PAGE_SIZE ? s->mod_len - i : PAGE_SIZE;

        if (by_frame) {
            require_eq(pt_set(window, pte_make(pfn_to_mfn(s->mod_start + i / PAGE_SIZE), PTE_P | PTE_US | PTE_A)), 0);
            page = window;
        }
        for (unsigned long k = 0; k < n; k++)
            sum += page[k];
    }
    if (by_frame)
        require_eq(pt_set(window, pte_make(own, PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)), 0);
    check_eq(sum, guest_option("sum", 0));
}
