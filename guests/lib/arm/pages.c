/* pages.c (ARM) - pages for tests. */
#include <guest.h>

enum { PAGES = 64 };
static char pages[PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned used;

void *page_alloc(void)
{
    if (used == PAGES)
        broken("the library has %u pages", (unsigned)PAGES);
    return pages[used++];
}
