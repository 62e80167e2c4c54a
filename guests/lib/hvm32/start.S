/* start.S (hvm32) - from 32-bit protected mode, as PVH and firmware enter it, and boot.S on other processors, to C.
 *
 * Page tables, where there are any: the first GiB in large pages for everybody, the rest in large pages for ring 0, and
 * nothing in the large page at 3 GiB. Facts: xen/include/public/arch-x86/hvm/start_info.h; Intel SDM volume 3, 4.3, 4.4.
 */
#include <arch.h>
#include <abi/multiboot.h>
#define MULTIBOOT_FLAGS (MULTIBOOT_ALIGN_MODULES | MULTIBOOT_WANT_MEMORY)

#define PTE(flags) (0x80 | 0x63 | (flags))      /* present, writable, accessed, dirty, large */

    .section .text.start, "ax", @progbits
    .globl _start
_start:                                     /* ebx: hvm_start_info, or 0; or eax: MULTIBOOT_BOOTED_MAGIC, ebx: multiboot_info */
    cld
#ifdef GUEST_MULTIBOOT
    mov %eax, multiboot_magic
#endif
    mov $percpu_areas + PERCPU_SIZE, %esp
    xor %ebp, %ebp
    .globl ap_entry
ap_entry:                                   /* esp, ebx */
    lgdt boot_gdt_pointer
    ljmp $KERNEL_CS, $1f
1:  mov $KERNEL_SS, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
#if PAGING_LEVELS == 3
    mov $0x6b0, %eax                        /* PSE, PAE, PGE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x800, %eax                         /* NXE */
    wrmsr
    mov $page_l3, %eax
    mov %eax, %cr3
    mov $0x80010033, %eax                   /* PG, WP, NE, ET, MP, PE */
#elif PAGING_LEVELS == 2
    mov $0x690, %eax                        /* PSE, PGE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $page_l2, %eax
    mov %eax, %cr3
    mov $0x80010033, %eax
#else
    mov $0x600, %eax                        /* OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $0x33, %eax                         /* NE, ET, MP, PE */
#endif
    mov %eax, %cr0
    push %ebx
    lea 4(%esp), %eax
    cmp $percpu_areas + PERCPU_SIZE, %eax
    je 2f
    call vcpu_started
2:  call guest_start
    ud2

#ifdef GUEST_MULTIBOOT
    .balign 4
    .long MULTIBOOT_HEADER_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_FLAGS)
#endif

    .data
    .globl multiboot_magic
multiboot_magic:
    .long 0
    .balign 8
    .globl boot_gdt, boot_gdt_end
boot_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff                /* KERNEL_CS */
    .quad 0x00cf93000000ffff                /* KERNEL_SS */
    .quad 0x00cffb000000ffff                /* USER_CS */
    .quad 0x00cff3000000ffff                /* USER_SS */
    .org boot_gdt + TSS_SELECTOR
boot_gdt_end:

#if PAGING_LEVELS == 3
#define ENTRY .quad
#define LARGE 0x200000
#else
#define ENTRY .long
#define LARGE 0x400000
#endif
#if PAGING_LEVELS
    .balign 4096
    .globl page_l2
page_l2:
    .set at, 0
    .rept 0x40000000 / LARGE
    ENTRY at + PTE(4)
    .set at, at + LARGE
    .endr
    .rept 0x80000000 / LARGE
    ENTRY at + PTE(0)
    .set at, at + LARGE
    .endr
    ENTRY 0
    .set at, at + LARGE
    .rept 0x40000000 / LARGE - 1
    ENTRY at + PTE(0)
    .set at, at + LARGE
    .endr
#endif
#if PAGING_LEVELS == 3
    .globl page_l3
page_l3:
    .long page_l2 + 1, 0
    .long page_l2 + 0x1000 + 1, 0
    .long page_l2 + 0x2000 + 1, 0
    .long page_l2 + 0x3000 + 1, 0
#endif

    .section .note.GNU-stack, "", @progbits
