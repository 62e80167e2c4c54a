/* divide.S (arm32) - __aeabi_uldivmod: r0, r1 by r2, r3; the quotient in r0 and r1, the rest in r2 and r3 (runtime.c). */
    .arm
    .text
    .globl __aeabi_uldivmod
__aeabi_uldivmod:
    push {r6, lr}
    sub sp, sp, #16                             /* the third argument's place; the rest above it */
    add r6, sp, #8
    str r6, [sp]
    bl guest_uldivmod
    ldr r2, [sp, #8]
    ldr r3, [sp, #12]
    add sp, sp, #16
    pop {r6, pc}

    .section .note.GNU-stack, "", %progbits
