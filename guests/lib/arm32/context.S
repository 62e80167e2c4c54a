/* context.S (arm32) - the user function's way back into the guest kernel, and setjmp and longjmp by other names (regs.h). */
    .arm
    .text
/* Whatever the user function returns is in r0 already. */
    .globl user_return
user_return:
    mov r7, #0                                  /* USER_EXIT */
    svc #0
    udf #0

    .globl context_save
context_save:
    stm r0!, {r4-r11}
    mrs r1, cpsr
    str sp, [r0]
    str lr, [r0, #4]
    str r1, [r0, #8]
    mov r0, #0
    bx lr

    .globl context_restore
context_restore:
    ldm r0!, {r4-r11}
    ldr sp, [r0]
    ldr lr, [r0, #4]
    ldr r2, [r0, #8]
    msr cpsr_cf, r2
    mov r0, r1
    bx lr

    .section .note.GNU-stack, "", %progbits
