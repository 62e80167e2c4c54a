/* pagetable.c (PV) - frames and page-table entries. */
#include <guest.h>

static struct start_info *start;
static uint64_t *p2m;
static char *next_page;
static uint64_t next_pfn;

static const uint64_t *m2p(void)
{
    return (const uint64_t *)MACH2PHYS_VIRT_START;
}

void memory_init(struct start_info *the_start)
{
    start = the_start;
    p2m = (uint64_t *)start->mfn_list;
    next_page = (char *)start->pt_base + start->nr_pt_frames * PAGE_SIZE;
    next_pfn = start->nr_pages;
}

uint64_t pfn_to_mfn(uint64_t pfn)
{
    if (pfn >= start->nr_pages)
        broken("pfn %lx is beyond the domain's memory", pfn);
    return p2m[pfn];
}

void pfn_set_mfn(uint64_t pfn, uint64_t mfn)
{
    p2m[pfn] = mfn;
}

uint64_t mfn_to_pfn(uint64_t mfn)
{
    return m2p()[mfn];
}

uint64_t virt_to_mfn(const void *p)
{
    return pfn_to_mfn(virt_to_pfn(p));
}

pte_t *pt_root(void)
{
    return (pte_t *)start->pt_base;
}

pte_t *pt_entry(const void *va, int level)
{
    pte_t *table = pt_root();

    for (int l = 4;; l--) {
        pte_t *entry = &table[(uint64_t)va >> (PAGE_SHIFT + 9 * (l - 1)) & 511];

        if (l == level)
            return entry;
        if (!(*entry & PTE_P) || *entry & PTE_PS)
            return NULL;
        table = pfn_to_virt(mfn_to_pfn((*entry & PTE_FRAME) >> PAGE_SHIFT));
    }
}

/* The frames of a p2m that lies outside the image's mapping may be inside it all the same, in its padding. */
static bool of_p2m(uint64_t pfn)
{
    return pfn - start->first_p2m_pfn < start->nr_p2m_frames;
}

void *page_alloc(void)
{
    while (of_p2m(virt_to_pfn(next_page)))
        next_page += PAGE_SIZE;
    pte_t *entry = pt_entry(next_page, 1);

    if (!entry || !(*entry & PTE_P))
        broken("no page of the initial mapping is left");
    next_page += PAGE_SIZE;
    return memset(next_page - PAGE_SIZE, 0, PAGE_SIZE);
}

uint64_t pfn_alloc(void)
{
    do
        next_pfn--;
    while (of_p2m(next_pfn));
    pte_t *entry = pt_entry(pfn_to_virt(next_pfn), 1);

    if (entry && *entry & PTE_P)
        broken("no unmapped frame is left: the test needs more memory");
    return next_pfn;
}

uint64_t pt_machine(const pte_t *entry)
{
    return virt_to_mfn(entry) << PAGE_SHIFT | ((uint64_t)entry & (PAGE_SIZE - 1));
}

long pt_update(uint64_t machine, unsigned command, uint64_t value)
{
    struct mmu_update update = { .ptr = machine | command, .val = value };
    unsigned done = 0;
    long rc = hcall(mmu_update, &update, 1, &done, DOMID_SELF);

    if (!rc && done != 1)
        fail("mmu_update returned 0 and did %u updates of 1", done);
    return rc;
}

long pt_write(const pte_t *entry, pte_t value)
{
    return pt_update(pt_machine(entry), MMU_NORMAL_PT_UPDATE, value);
}

long pt_set(const void *va, pte_t value)
{
    return hcall(update_va_mapping, va, value, UVMF_INVLPG);
}

long pt_ext(unsigned command, uint64_t mfn)
{
    struct mmuext_op op = { .cmd = command };

    op.arg1.mfn = mfn;
    return hcall(mmuext_op, &op, 1, NULL, DOMID_SELF);
}

long pt_ext_linear(unsigned command, unsigned long address)
{
    struct mmuext_op op = { .cmd = command };

    op.arg1.linear_addr = address;
    return hcall(mmuext_op, &op, 1, NULL, DOMID_SELF);
}

long page_readonly(void *page)
{
    return pt_set(page, pte_make(virt_to_mfn(page), PTE_P | PTE_US | PTE_A));
}

long page_writable(void *page)
{
    return pt_set(page, pte_make(virt_to_mfn(page), PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D));
}

bool pt_map(const void *va, pte_t value)
{
    for (int level = 4; level > 1; level--) {
        pte_t *entry = pt_entry(va, level);

        if (*entry & PTE_P)
            continue;
        void *table = page_alloc();

        if (page_readonly(table) || pt_write(entry, pte_make(virt_to_mfn(table), PTE_P | PTE_RW | PTE_US | PTE_A)))
            return false;
    }
    return pt_write(pt_entry(va, 1), value) == 0;
}
