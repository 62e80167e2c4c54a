/* entry.S (hvm64) - from an exception, an interrupt or SYSCALL to C and back, into user mode and out of it. */
#include <arch.h>
#include <frame.h>

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
    TRAP_FRAME
    cld
    push %rdi
    PUSH_REGISTERS
    SAVED_REGISTERS
    mov %rsp, %rdi
    call trap_entry
    .cfi_endproc

restore:
    POP_REGISTERS
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

    .bss
    .balign 8
    .globl syscall_stack
syscall_stack:                              /* of the processor that has made a user_call(): one at a time */
    .skip 8
syscall_rsp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
