/* entry.S (hvm64) - from an exception, an interrupt or SYSCALL to C and back, into user mode and out of it. */
#include <arch.h>

    .cfi_sections .debug_frame
    .text

/* 256 stubs of 16 bytes: an error code, the processor's or 0, then the vector. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set n, 0
    .rept 256
    .balign 16
    .if n != 8 && n != 10 && n != 11 && n != 12 && n != 13 && n != 14 && n != 17
    push $0
    .endif
    push $n
    jmp trap_common
    .set n, n + 1
    .endr

/* SYSCALL from ring 3: what IRETQ wants is put on the trap stack of this processor. */
    .globl trap_syscall
trap_syscall:
    mov %rsp, syscall_rsp(%rip)
    mov syscall_stack(%rip), %rsp
    push $USER_SS
    push syscall_rsp(%rip)
    push %r11
    push $USER_CS
    push %rcx
    push $0
    push $TRAP_SYSCALL
    jmp trap_common

trap_common:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 16
    .cfi_offset %rip, 0
    .cfi_offset %rsp, 24
    cld
    push %rdi
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
    .cfi_def_cfa_offset 136
    .set saved_at, -136
    .irp register, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    .cfi_offset %\register, saved_at
    .set saved_at, saved_at + 8
    .endr
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
    .globl interrupt_return
interrupt_return:
    iretq

/* void user_enter(rip, rsp, arg, rflags): never comes back by itself */
    .globl user_enter
user_enter:
    push $USER_SS
    push %rsi
    push %rcx
    push $USER_CS
    push %rdi
    mov %rdx, %rdi
    xor %esi, %esi
    xor %edx, %edx
    xor %ebx, %ebx
    xor %ebp, %ebp
    iretq

/* void frame_return(const struct regs *): go on from these registers */
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
    .globl syscall_stack
syscall_stack:                              /* of the processor that has made a user_call(): one at a time */
    .skip 8
syscall_rsp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
