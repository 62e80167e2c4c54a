/* @title  p2m placement
 * @fact   the p2m has an entry for every page, is writable, and lies where the kernel asked for it
 * @source xen/include/public/elfnote.h (INIT_P2M), xen.h (start_info.mfn_list, first_p2m_pfn, nr_p2m_frames)
 * @env    pv64 pv64low pv64p2m
 */
#include <guest.h>

void test_main(void)
{
    struct start_info *s = guest_start_info();
    uint64_t *p2m = (uint64_t *)s->mfn_list;

    for (uint64_t pfn = 0; pfn < s->nr_pages; pfn++)
        require_eq(mfn_to_pfn(p2m[pfn]), pfn);
#ifdef INIT_P2M
    check_eq(s->mfn_list, INIT_P2M);
    check(s->nr_p2m_frames >= (s->nr_pages + 511) / 512);         /* and the tables that map them */
    check(s->first_p2m_pfn + s->nr_p2m_frames <= s->nr_pages);
#else
    check(s->mfn_list > (unsigned long)test_main);
    check_eq((s->mfn_list - VIRT_BASE) / PAGE_SIZE + (s->nr_pages + 511) / 512 <= s->nr_pages, 1);
#endif
    uint64_t mfn = p2m[5];

    WRITE_ONCE(p2m[5], 0);
    check_eq(READ_ONCE(p2m[5]), 0);
    WRITE_ONCE(p2m[5], mfn);
    check((unsigned long)test_main - VIRT_BASE >= 0x100000 && (unsigned long)test_main - VIRT_BASE < 0x400000);
}
