/* mmu.h (ARM) - stage 1 page tables: 64-bit descriptors of 4 KiB granules, which AArch64 and AArch32 with LPAE have alike.
 * The library maps everything at its own address (tables.S). Facts: Arm DDI 0487, chapter D8; DDI 0406C, chapter B3.6.
 */
#ifndef GUEST_ARM_MMU_H
#define GUEST_ARM_MMU_H

#define PAGE_SHIFT 12
#define PTE_VALID 0x001
#define PTE_TABLE 0x003                 /* the entry leads to a table */
#define PTE_PAGE 0x003                  /* level 3: a page */
#define PTE_BLOCK 0x001                 /* levels 1 and 2: a block */
#define PTE_DEVICE 0x000                /* indices of MAIR: Device-nGnRnE */
#define PTE_NORMAL 0x304                /* write-back, inner shareable */
#define PTE_UNCACHED 0x308
#define PTE_ALL 0x040                   /* user mode has the right too */
#define PTE_READONLY 0x080
#define PTE_AF 0x400
#define PTE_NG 0x800
#define PTE_XN_HIGH 0x00600000          /* both, in the upper word */

/* Where the image lies (link.ld). */
#define RAM_BASE 0x40000000
#define IMAGE_BASE 0x40200000

#ifndef __ASSEMBLER__
#include <stdint.h>

#define PAGE_SIZE 4096UL
#define PTE_FRAME 0x0000fffffffff000ULL
#define PTE_PRIVILEGED_XN (1ULL << 53)
#define PTE_NEVER (3ULL << 53)          /* nobody executes there */
/* A page of ordinary memory for everybody, as the library's own data. */
#define PTE_DATA (PTE_PAGE | PTE_NORMAL | PTE_ALL | PTE_AF | PTE_PRIVILEGED_XN)

/* The entry that translates an address at a level (1, 2 or 3); blocks above it are split. */
uint64_t *pt_entry(const void *va, unsigned level);
/* Write the level 3 entry of an address, and have it forgotten by all processors. Returns the old one. */
uint64_t pt_set(const void *va, uint64_t entry);
/* The page's own mapping: read-only, or writable again. 0. */
long page_readonly(void *page);
long page_writable(void *page);
/* A table that is used nowhere yet; zeros. */
uint64_t *pt_table(void);
/* A page of memory that nobody uses; zeros. */
void *page_alloc(void);
/* Have the kernel execute what is in a page of the image, which its users then do not reach. */
void code_allow(void *page);
/* Code was written there: it is what executes next. */
void code_written(const void *at, unsigned bytes);
#endif
#endif
