/* context.S (arm64) - the user function's way back into the guest kernel, and setjmp and longjmp by other names (regs.h). */
    .text
/* Whatever the user function returns is in x0 already. */
    .globl user_return
user_return:
    mov x8, #0                                  /* USER_EXIT */
    svc #0
    brk #0

    .globl context_save
context_save:
    stp x19, x20, [x0]
    stp x21, x22, [x0, #16]
    stp x23, x24, [x0, #32]
    stp x25, x26, [x0, #48]
    stp x27, x28, [x0, #64]
    stp x29, x30, [x0, #80]
    mov x1, sp
    mrs x2, daif
    stp x1, x2, [x0, #96]
    mov w0, #0
    ret

    .globl context_restore
context_restore:
    ldp x19, x20, [x0]
    ldp x21, x22, [x0, #16]
    ldp x23, x24, [x0, #32]
    ldp x25, x26, [x0, #48]
    ldp x27, x28, [x0, #64]
    ldp x29, x30, [x0, #80]
    ldp x2, x3, [x0, #96]
    mov sp, x2
    msr daif, x3
    mov w0, w1
    ret

    .section .note.GNU-stack, "", %progbits
