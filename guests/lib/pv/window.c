/* window.c (PV) - a window is a page of the image without a page table entry. */
#include <guest.h>
#include <window.h>

void window_open(void *page) { require_eq(pt_set(page, 0), 0); }

void window_close(void *page)
{
    require_eq(pt_set(page, pte_make(pfn_to_mfn(virt_to_pfn(page)), PTE_P | PTE_RW | PTE_US)), 0);
}

long window_steal(void *page, domid_t owner, uint64_t frame) { return pt_set(page, pte_make(frame, PTE_P | PTE_US)); }
