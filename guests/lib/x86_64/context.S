/* context.S - the user function's way back into the guest kernel, and setjmp and longjmp by other names (regs.h). */
    .text
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

    .section .note.GNU-stack, "", @progbits
