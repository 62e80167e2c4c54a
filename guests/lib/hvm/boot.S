/* boot.S (HVM) - what every start has: Xen's notes, the way of other processors from SIPI's real mode to ap_entry (start.S),
 * the areas of the processors, the hypercall page. Facts: xen/include/public/elfnote.h; Intel SDM volume 3, 8.4.4.
 */
#include <arch.h>
#include <abi/elfnote.h>

#define NOTE_HEADER(size, type) .balign 4; .long 4, size, type; .asciz "Xen"
#define NOTE_STRING(type, text) NOTE_HEADER(4f - 3f, type); 3: .asciz text; 4: .balign 4

#ifndef GUEST_MULTIBOOT                     /* a kernel of two kinds would be taken for the other */
    .section .note.Xen, "a", @note
    NOTE_STRING(XEN_ELFNOTE_GUEST_OS, "xenlab-guest")
    NOTE_HEADER(4, XEN_ELFNOTE_PHYS32_ENTRY); .long _start; .balign 4
#endif

    .text
/* Copied to AP_TRAMPOLINE. One processor at a time comes through: ap_stack is its stack. */
    .globl ap_trampoline, ap_trampoline_end, ap_stack
    .code16
ap_trampoline:
    cli
    xor %ax, %ax
    mov %ax, %ds
    lgdtl AP_TRAMPOLINE + ap_gdt_pointer - ap_trampoline
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $KERNEL_CS32, $AP_TRAMPOLINE + ap_protected - ap_trampoline
    .code32
ap_protected:
    mov $KERNEL_SS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov ap_stack, %esp
    xor %ebx, %ebx
    mov $ap_entry, %eax
    jmp *%eax
    .balign 4
ap_gdt_pointer:
    .word TSS_SELECTOR - 1                  /* what every boot_gdt is filled up to */
    .long boot_gdt
ap_trampoline_end:

    .data
    .balign 8
    .globl boot_gdt_pointer
boot_gdt_pointer:
    .word TSS_SELECTOR - 1                  /* what every boot_gdt is filled up to */
    .long boot_gdt
    .balign 8
ap_stack:
    .quad 0

    .section .hypercall_page, "ax", @progbits
    .globl hypercall_page
    .balign 4096
hypercall_page:
    .skip 4096, 0xf4

    .bss
    .balign PERCPU_SIZE
    .globl percpu_areas
percpu_areas:
    .skip PERCPU_SIZE * MAX_VCPUS

    .section .note.GNU-stack, "", @progbits
