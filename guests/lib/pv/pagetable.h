/* pagetable.h (PV) - direct paging: frames, page-table entries and their updates.
 *
 * mfn: machine frame. pfn: the guest's own number of it. start_info.mfn_list says pfn -> mfn, the hypervisor's
 * read-only table (M2P) says mfn -> pfn. Memory that the domain builder mapped is at VIRT_BASE + pfn * 4096.
 */
#ifndef GUEST_PV_PAGETABLE_H
#define GUEST_PV_PAGETABLE_H
#include <stdbool.h>
#include <stdint.h>

typedef uint64_t pte_t;
struct start_info;

void memory_init(struct start_info *start);
uint64_t pfn_to_mfn(uint64_t pfn);
void pfn_set_mfn(uint64_t pfn, uint64_t mfn);
uint64_t mfn_to_pfn(uint64_t mfn);
static inline uint64_t virt_to_pfn(const void *p) { return ((uint64_t)p - VIRT_BASE) >> PAGE_SHIFT; }
static inline void *pfn_to_virt(uint64_t pfn) { return (void *)(VIRT_BASE + (pfn << PAGE_SHIFT)); }
uint64_t virt_to_mfn(const void *p);
static inline pte_t pte_make(uint64_t mfn, uint64_t flags) { return mfn << PAGE_SHIFT | flags; }

/* A zeroed page of the initial mapping, writable. Never freed. */
void *page_alloc(void);
/* A pfn that is not mapped anywhere. */
uint64_t pfn_alloc(void);

/* The level 4 table in use; entries of it and below are readable where they are. */
pte_t *pt_root(void);
/* The entry of `va` at `level` (4..1), or NULL when a table above it is missing. */
pte_t *pt_entry(const void *va, int level);
/* The machine address of an entry. */
uint64_t pt_machine(const pte_t *entry);
/* mmu_update of one entry, `command` one of MMU_*: */
long pt_update(uint64_t machine, unsigned command, uint64_t value);
/* MMU_NORMAL_PT_UPDATE of an entry. */
long pt_write(const pte_t *entry, pte_t value);
/* update_va_mapping with UVMF_INVLPG. */
long pt_set(const void *va, pte_t value);
/* mmuext_op with one frame, or one linear address. */
long pt_ext(unsigned command, uint64_t mfn);
long pt_ext_linear(unsigned command, unsigned long address);
/* Map `va` to this entry, with the tables above it made as needed. False: the hypervisor refused. */
bool pt_map(const void *va, pte_t value);
/* The page's own mapping: read-only (as a page table must be), or writable again. */
long page_readonly(void *page);
long page_writable(void *page);

#endif
