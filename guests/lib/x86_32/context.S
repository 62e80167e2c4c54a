/* context.S - the user function's way back into the guest kernel, and setjmp and longjmp by other names (regs.h). */
#include <arch.h>

    .text
/* Whatever the user function returns is passed to the guest kernel. */
    .globl user_return
user_return:
    mov %eax, %edi
    xor %eax, %eax                          /* USER_EXIT */
    int $USER_EXIT_INT
    ud2

    .globl context_save
context_save:
    mov 4(%esp), %edx
    mov %ebx, 0(%edx)
    mov %ebp, 4(%edx)
    mov %esi, 8(%edx)
    mov %edi, 12(%edx)
    lea 4(%esp), %eax
    mov %eax, 16(%edx)
    mov (%esp), %eax
    mov %eax, 20(%edx)
    xor %eax, %eax
    ret

    .globl context_restore
context_restore:
    cld
    mov 4(%esp), %edx
    mov 8(%esp), %eax
    mov 0(%edx), %ebx
    mov 4(%edx), %ebp
    mov 8(%edx), %esi
    mov 12(%edx), %edi
    mov 16(%edx), %esp
    jmp *20(%edx)

    .section .note.GNU-stack, "", @progbits
