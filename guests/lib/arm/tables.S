/* tables.S (ARM) - the page tables of the start: the first 4 GiB, each address its own. What is below GUEST_GNTTAB_BASE is
 * device memory; the 2 MiB of code may be read and executed by everybody, all other memory is everybody's but not
 * executable for the kernel. The library's own data are in pages, since a block that is used cannot be split.
 */
#include <arch.h>
#include <abi/arch/arm.h>
#include <mmu.h>

#define DEVICE (PTE_BLOCK | PTE_DEVICE | PTE_AF)
#define DATA (PTE_BLOCK | PTE_NORMAL | PTE_AF | PTE_ALL)
#define CODE (PTE_BLOCK | PTE_NORMAL | PTE_AF | PTE_ALL | PTE_READONLY)
#define BLOCK 0x200000
#define PRIVILEGED_XN 0x00200000                /* in the upper word */

    .data
    .balign 4096
    .globl page_l1
page_l1:
    .long page_l2 + PTE_TABLE, 0
    .long page_l2 + 0x1000 + PTE_TABLE, 0
    .long 0x80000000 + DATA, PRIVILEGED_XN
    .long 0xc0000000 + DATA, PRIVILEGED_XN
    .fill 508, 8, 0
    .balign 4096
page_l2:
    .set at, 0
    .rept GUEST_GNTTAB_BASE / BLOCK
    .long at + DEVICE, PTE_XN_HIGH
    .set at, at + BLOCK
    .endr
    .rept (IMAGE_BASE - GUEST_GNTTAB_BASE) / BLOCK
    .long at + DATA, PRIVILEGED_XN
    .set at, at + BLOCK
    .endr
    .long at + CODE, 0
    .set at, at + BLOCK
    .long page_l3 + PTE_TABLE, 0
    .set at, at + BLOCK
    .rept (RAM_BASE + 0x40000000 - IMAGE_BASE - 2 * BLOCK) / BLOCK
    .long at + DATA, PRIVILEGED_XN
    .set at, at + BLOCK
    .endr

page_l3:
    .set at, IMAGE_BASE + BLOCK
    .rept 512
    .long at + DATA - PTE_BLOCK + PTE_PAGE, PRIVILEGED_XN
    .set at, at + 4096
    .endr

    .bss
    .balign PERCPU_SIZE
    .globl percpu_areas
percpu_areas:
    .skip PERCPU_SIZE * MAX_VCPUS

    .section .note.GNU-stack, "", %progbits
