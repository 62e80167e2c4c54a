/* @title  TLB refills
 * @fact   (benchmark) n times for each of 64 pages of 4 KiB: edit=0, an access after another value in CR3 has dropped all translations;
 *         edit=1, a store to its page-table entry, which is in use, and an access
 * @source Intel SDM volume 3, 4.5, 4.10.4.1
 * @env    pvh64
 */
#include <guest.h>

#define PAGE_ALIGNED __attribute__((aligned(4096)))
enum { SLOT = 3, PAGES = 64 };
#define BASE ((uint64_t)SLOT << 39)               /* nothing of the library's is there */

static uint64_t l3[512] PAGE_ALIGNED, l2[512] PAGE_ALIGNED, l1[512] PAGE_ALIGNED, data[PAGES][512] PAGE_ALIGNED;

static void touch(unsigned page)
{
    (void)*(volatile uint64_t *)(BASE + page * PAGE_SIZE);
}

static void after_flush(void)
{
    write_cr3(read_cr3() ^ 1 << 3);        /* PWT, which means nothing here: the same value would drop nothing */
    for (unsigned page = 0; page < PAGES; page++)
        touch(page);
}

static void after_edit(void)
{
    for (unsigned page = 0; page < PAGES; page++) {
        *(volatile uint64_t *)&l1[page] = (uint64_t)data[page] | PTE_P | PTE_RW;
        touch(page);
    }
}

void test_main(void)
{
    void (*const round)(void) = guest_option("edit", 0) ? after_edit : after_flush;

    for (unsigned page = 0; page < PAGES; page++)
        l1[page] = (uint64_t)data[page] | PTE_P | PTE_RW;
    l2[0] = (uint64_t)l1 | PTE_P | PTE_RW;
    l3[0] = (uint64_t)l2 | PTE_P | PTE_RW;
    ((uint64_t *)(read_cr3() & PTE_FRAME))[SLOT] = (uint64_t)l3 | PTE_P | PTE_RW;
    for (uint64_t n = guest_option("n", 1000); n > 0; n--)
        round();
}
