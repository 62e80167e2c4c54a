/* entry.S (hvm32) - from an exception, an interrupt or a system call to C and back, into user mode and out of it. */
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
    .if n == USER_EXIT_INT
    push $TRAP_SYSCALL
    .else
    push $n
    .endif
    jmp trap_common
    .set n, n + 1
    .endr

trap_common:
    PUSH_REGISTERS
    cld
    mov $KERNEL_SS, %eax
    mov %eax, %ds
    mov %eax, %es
    testl $FLAGS_VM, FRAME_FLAGS(%esp)
    jnz 1f
    testb $3, FRAME_CS(%esp)
    jnz 1f
    /* From ring 0: no ss and esp on the stack. The frame moves down by two words, where they then have their place. */
    sub $8, %esp
    mov %esp, %edi
    lea 8(%esp), %esi
    mov $FRAME_SP / 4, %ecx
    rep movsl
    lea FRAME_SS + 4(%esp), %eax
    mov %eax, FRAME_SP(%esp)
    mov %ss, %eax
    mov %eax, FRAME_SS(%esp)
1:  push %esp
    call trap_entry
    add $4, %esp

restore:                                    /* esp: struct regs */
    testl $FLAGS_VM, FRAME_FLAGS(%esp)
    jnz 2f
    testb $3, FRAME_CS(%esp)
    jnz 2f
    /* To ring 0: what IRET takes goes below the esp that is to be. */
    mov FRAME_SP(%esp), %esi
    mov FRAME_IP(%esp), %eax
    mov FRAME_CS(%esp), %ecx
    mov FRAME_FLAGS(%esp), %edx
    sub $12, %esi
    mov %esi, FRAME_ERROR(%esp)
    mov %edx, 8(%esi)
    mov %ecx, 4(%esi)
    mov %eax, 0(%esi)
    POP_REGISTERS
    mov FRAME_ERROR - FRAME_VECTOR(%esp), %esp
    iret
2:  POP_REGISTERS
    add $8, %esp
    .globl interrupt_return
interrupt_return:
    iret

/* void user_enter(ip, sp, arg, flags): never comes back by itself. The argument is on the stack already (handlers.c). */
    .globl user_enter
user_enter:
    mov 4(%esp), %eax
    mov 8(%esp), %ecx
    mov 16(%esp), %edx
    push $USER_SS
    push %ecx
    push %edx
    push $USER_CS
    push %eax
    mov $USER_SS, %eax
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ebp, %ebp
    iret

/* void frame_return(const struct regs *): go on from these registers */
    .globl frame_return
frame_return:
    mov 4(%esp), %esp
    jmp restore

    .section .note.GNU-stack, "", @progbits
