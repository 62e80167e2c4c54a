/* start.S (pv64) - Xen notes (xen/include/public/elfnote.h) and the first instructions. */
#include <arch.h>
#include <abi/elfnote.h>
#include <abi/xen.h>

#define NOTE_HEADER(size, type) .balign 4; .long 4, size, type; .asciz "Xen"
#define NOTE_STRING(type, text) NOTE_HEADER(4f - 3f, type); 3: .asciz text; 4: .balign 4
#define NOTE_WORD(type, value) NOTE_HEADER(8, type); .quad value; .balign 4

    .section .note.Xen, "a", @note
    NOTE_STRING(XEN_ELFNOTE_GUEST_OS, "xenlab-guest")
    NOTE_STRING(XEN_ELFNOTE_GUEST_VERSION, "1")
    NOTE_STRING(XEN_ELFNOTE_LOADER, "generic")
    NOTE_STRING(XEN_ELFNOTE_XEN_VERSION, "xen-3.0")
    NOTE_STRING(XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb")
    NOTE_STRING(XEN_ELFNOTE_PAE_MODE, "yes")
    NOTE_WORD(XEN_ELFNOTE_VIRT_BASE, VIRT_BASE)
    NOTE_WORD(XEN_ELFNOTE_PADDR_OFFSET, 0)
#ifdef INIT_P2M
    NOTE_WORD(XEN_ELFNOTE_INIT_P2M, INIT_P2M)
    NOTE_WORD(XEN_ELFNOTE_MOD_START_PFN, 1)
#endif
    NOTE_WORD(XEN_ELFNOTE_ENTRY, _start)
    NOTE_WORD(XEN_ELFNOTE_HYPERCALL_PAGE, hypercall_page)

    .section .text.start, "ax", @progbits
    .globl _start
_start:                                     /* rsi: start_info */
    cld
    lea percpu_areas + PERCPU_SIZE(%rip), %rsp
    mov %rsi, %rdi
    xor %ebp, %ebp
    call guest_start
    ud2

    .globl vcpu_entry
vcpu_entry:                                 /* a secondary vcpu: rsp is set already */
    cld
    xor %ebp, %ebp
    call vcpu_started
    ud2

    .section .hypercall_page, "ax", @progbits
    .globl hypercall_page
    .balign 4096
hypercall_page:
/* What the hypervisor writes here: push %rcx; push %r11; mov $nr, %eax; syscall; pop %r11; pop %rcx; ret. A debugger's
 * call stack needs to be told (.debug_frame, which is not loaded). iret's has another form, and no caller. */
    .cfi_sections .debug_frame
    .set number, 0
    .rept 4096 / 32
    .if number == __HYPERVISOR_iret
    .skip 32, 0xf4
    .else
    .cfi_startproc
    .skip 1, 0xf4
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rcx, 0
    .skip 2, 0xf4
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r11, 0
    .skip 9, 0xf4
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r11
    .skip 1, 0xf4
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rcx
    .skip 19, 0xf4
    .cfi_endproc
    .endif
    .set number, number + 1
    .endr

    .bss
    .balign PERCPU_SIZE
    .globl percpu_areas
percpu_areas:
    .skip PERCPU_SIZE * MAX_VCPUS

    .section .note.GNU-stack, "", @progbits
