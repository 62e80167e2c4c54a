/* mmu.c (ARM) - changes of the page tables. */
#include <guest.h>

enum { POOL = 16, ENTRIES = 512, BITS = 9 };
extern uint64_t page_l1[];
static uint64_t pool[POOL][ENTRIES] __attribute__((aligned(4096)));
static unsigned used;

uint64_t *pt_table(void)
{
    if (used == POOL)
        broken("the library has %u page tables", (unsigned)POOL);
    return pool[used++];
}

/* A table of smaller pages in place of a block at `level`, or of nothing. */
static void split(uint64_t *entry, unsigned level)
{
    uint64_t *table = pt_table(), old = *entry, size = 1ULL << (PAGE_SHIFT + BITS * (2 - level));

    for (unsigned i = 0; (old & PTE_VALID) && i < ENTRIES; i++)
        table[i] = (old + i * size) | (level == 2 ? PTE_PAGE : PTE_BLOCK);
    arch_barrier();
    *entry = 0;
    arch_tlb_flush_all();
    *entry = (uint64_t)(uintptr_t)table | PTE_TABLE;
    arch_tlb_flush_all();
}

uint64_t *pt_entry(const void *va, unsigned level)
{
    uint64_t address = (uintptr_t)va, *table = page_l1;

    for (unsigned at = 1;; at++) {
        uint64_t *entry = &table[address >> (PAGE_SHIFT + BITS * (3 - at)) & (ENTRIES - 1)];

        if (at == level)
            return entry;
        if ((*entry & PTE_TABLE) != PTE_TABLE)
            split(entry, at);
        table = (uint64_t *)(uintptr_t)(*entry & PTE_FRAME);
    }
}

uint64_t pt_set(const void *va, uint64_t value)
{
    uint64_t *entry = pt_entry(va, 3), old = *entry;

    *(volatile uint64_t *)entry = value;
    arch_tlb_flush_page(va);
    return old;
}

long page_readonly(void *page)
{
    pt_set(page, *pt_entry(page, 3) | PTE_READONLY);
    return 0;
}

long page_writable(void *page)
{
    pt_set(page, *pt_entry(page, 3) & ~(uint64_t)PTE_READONLY);
    return 0;
}

void code_allow(void *page) { pt_set(page, *pt_entry(page, 3) & ~PTE_NEVER & ~(uint64_t)PTE_ALL); }

void code_written(const void *at, unsigned bytes)
{
    enum { LINE = 64 };

    for (const char *line = (const char *)((uintptr_t)at & -(uintptr_t)LINE); line < (const char *)at + bytes; line += LINE)
        arch_sync_code(line);
}
