/* entry.S (pv64) - from a PV frame to C and back, into user mode and out of it.
 *
 * Xen pushes rcx and r11 last (on top), since SYSRET destroys them. Below them is what a processor would have
 * pushed. The way back is the iret hypercall on: rax, r11, rcx, flags, rip, cs, rflags, rsp, ss.
 *
 * The .cfi lines lead a debugger from a handler to the code that was interrupted. They are in .debug_frame, which is
 * not loaded. CFA is where the interrupted rip is saved.
 */
#include <arch.h>
#include <abi/xen.h>

    .cfi_sections .debug_frame
    .text
/* At vector and error code. */
.macro TRAP_FRAME
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 16
    .cfi_offset %rip, 0
    .cfi_offset %rsp, 24
.endm

/* Behind save_registers. */
.macro SAVED_REGISTERS
    .cfi_def_cfa_offset 136
    .set saved_at, -136
    .irp register, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    .cfi_offset %\register, saved_at
    .set saved_at, saved_at + 8
    .endr
.endm

.macro STUB name vector has_error=0
    .globl \name
\name:
    pop %rcx
    pop %r11
    .if !\has_error
    push $0
    .endif
    push $\vector
    jmp trap_common
.endm

.macro EXCEPTION number has_error=0
    STUB trap_\number, \number, \has_error
    .pushsection .trap_stubs, "a"
    .quad \number, trap_\number
    .popsection
.endm

    .section .trap_stubs, "a"
    .globl trap_stubs_start
trap_stubs_start:
    .text
    .irp n, 0, 1, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 0x80, 0x81, 0x82
    EXCEPTION \n
    .endr
    .irp n, 8, 10, 11, 12, 13, 14, 17
    EXCEPTION \n 1
    .endr
    .section .trap_stubs, "a"
    .globl trap_stubs_end
trap_stubs_end:
    .text
    STUB trap_nmi, 2
    STUB trap_syscall, TRAP_SYSCALL

    .globl trap_failsafe
trap_failsafe:                              /* rcx, r11, ds, es, fs, gs, then the frame */
    pop %rcx
    pop %r11
    popq failsafe_selectors(%rip)
    popq failsafe_selectors + 8(%rip)
    popq failsafe_selectors + 16(%rip)
    popq failsafe_selectors + 24(%rip)
    push $0
    push $TRAP_FAILSAFE
    jmp trap_common

    .globl trap_event
trap_event:
    pop %rcx
    pop %r11
    push $0
    push $-1
    TRAP_FRAME
    call save_registers
    SAVED_REGISTERS
    call events_upcall
    jmp restore
    .cfi_endproc

trap_common:
    TRAP_FRAME
    call save_registers
    SAVED_REGISTERS
    mov %rsp, %rdi
    call trap_entry
    .cfi_endproc

restore:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    add $16, %rsp                           /* vector, error code */
    push $0                                 /* flags: restore rcx and r11 too */
hypervisor_iret:
    push %rcx
    push %r11
    push %rax
    mov $__HYPERVISOR_iret, %eax
    syscall
    ud2

/* Called with the return address on top, where rdi belongs: swaps the two, and goes back through rdi. */
save_registers:
    cld
    xchg %rdi, (%rsp)                       /* rdi is saved, the return address in rdi */
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    jmp *%rdi

/* void user_enter(rip, rsp, arg, rflags): never comes back by itself */
    .globl user_enter
user_enter:
    push $FLAT_USER_SS
    push %rsi
    push %rcx
    push $FLAT_USER_CS
    push %rdi
    push $VGCF_in_syscall
    mov %rdx, %rdi
    xor %esi, %esi
    xor %edx, %edx
    xor %ebx, %ebx
    xor %ebp, %ebp
    jmp hypervisor_iret

/* void frame_return(const struct regs *): go on from these registers through the iret hypercall */
    .globl frame_return
frame_return:
    mov %rdi, %rsp
    jmp restore

/* Whatever the user function returns is passed to the guest kernel. */
    .globl user_return
user_return:
    mov %rax, %rdi
    xor %eax, %eax                          /* USER_EXIT */
    syscall
    ud2

    .globl context_save
context_save:
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 48(%rdi)
    mov (%rsp), %rax
    mov %rax, 56(%rdi)
    xor %eax, %eax
    ret

    .globl context_restore
context_restore:
    cld
    mov 0(%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    mov %esi, %eax
    jmp *56(%rdi)

    .bss
    .balign 8
    .globl failsafe_selectors
failsafe_selectors:
    .skip 32

    .section .note.GNU-stack, "", @progbits
