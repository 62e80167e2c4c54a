/* start.S (hvm64) - from 32-bit protected mode, as PVH and firmware enter it (and boot.S, on other processors), to long mode.
 *
 * Page tables: the first GiB in 2 MiB pages for everybody, the next three in 2 MiB pages for ring 0. Facts:
 * xen/include/public/arch-x86/hvm/start_info.h; Intel SDM volume 3, 9.8.5.
 */
#include <arch.h>

#define PTE(flags) (0x80 | 0x63 | (flags))      /* present, writable, accessed, dirty, large */

    .section .text.start, "ax", @progbits
    .code32
    .globl _start
_start:                                     /* ebx: hvm_start_info, or 0 */
    cld
    mov $percpu_areas + PERCPU_SIZE, %esp
    xor %ebp, %ebp
    .globl ap_entry
ap_entry:                                   /* esp, ebx: as the 64-bit code wants them */
    lgdt boot_gdt_pointer
    mov $page_l4, %eax
    mov %eax, %cr3
    mov $0x6a0, %eax                        /* PAE, PGE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax                         /* SCE, LME, NXE */
    wrmsr
    mov $0x80010033, %eax                   /* PG, WP, NE, ET, MP, PE */
    mov %eax, %cr0
    ljmp $KERNEL_CS, $1f
    .code64
1:  mov $KERNEL_SS, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %esp, %esp
    mov %ebx, %edi
    lea percpu_areas + PERCPU_SIZE(%rip), %rax
    cmp %rsp, %rax
    je 2f
    call vcpu_started
2:  call guest_start
    ud2

    .data
    .balign 8
    .globl boot_gdt, boot_gdt_end
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff                /* KERNEL_CS */
    .quad 0x00cf93000000ffff                /* KERNEL_SS */
    .quad 0x00cffb000000ffff                /* USER_CS32 */
    .quad 0x00cff3000000ffff                /* USER_SS */
    .quad 0x00affb000000ffff                /* USER_CS */
    .quad 0x00cf9b000000ffff                /* KERNEL_CS32 */
    .org boot_gdt + TSS_SELECTOR
boot_gdt_end:

    .balign 4096
    .globl page_l4, page_l3, page_l2
page_l4:
    .quad page_l3 + 0x27
    .fill 511, 8, 0
page_l3:
    .quad page_l2 + 0x27
    .quad page_l2 + 0x1000 + 0x27
    .quad page_l2 + 0x2000 + 0x27
    .quad page_l2 + 0x3000 + 0x27
    .fill 508, 8, 0
page_l2:
    .set at, 0
    .rept 512
    .quad at + PTE(4)
    .set at, at + 0x200000
    .endr
    .rept 3 * 512
    .quad at + PTE(0)
    .set at, at + 0x200000
    .endr

    .section .note.GNU-stack, "", @progbits
