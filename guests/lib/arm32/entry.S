/* entry.S (arm32) - the vector table; from an exception to C and back, in supervisor mode; into user mode and out of it.
 *
 * Every exception stores its return state on the stack of supervisor mode (SRS) and goes on there, so that one frame serves
 * all. Facts: Arm DDI 0406C, B1.8.
 */
#include <arch.h>

#define AT_ENTRY 72
#define AT_IP 80
#define AT_SPSR 84
#define PC_AND_SPSR 8
#define MODE_MASK 0x1f
#define MODE_USER 0x10

    .cfi_sections .debug_frame
    .arm
    .text
    .balign 32
    .globl vectors
vectors:
    b .                                         /* 0: reset */
    b on_undefined
    b on_svc
    b on_prefetch_abort
    b on_data_abort
    b .                                         /* 5: hypervisor mode's */
    b on_irq
    b on_fiq

/* lr: where the exception's link register leads, made the address of the instruction (`back` less). */
.macro EXCEPTION name, number, back
\name:
    .if \back
    sub lr, lr, #\back
    .endif
    srsdb sp!, #MODE_SVC
    cpsid aif, #MODE_SVC
    sub sp, sp, #REGS_SIZE - PC_AND_SPSR
    stm sp, {r0-r12}
    mov r0, #\number
    b exception
.endm

    EXCEPTION on_undefined, 1, 0
    EXCEPTION on_svc, 2, 0
    EXCEPTION on_prefetch_abort, 3, 4
    EXCEPTION on_data_abort, 4, 8
    EXCEPTION on_irq, 6, 4
    EXCEPTION on_fiq, 7, 4

exception:                                      /* r0: which of the eight */
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa sp, 0
    .cfi_offset sp, 52
    .cfi_offset lr, 56
    .cfi_offset r11, 44
    .cfi_offset r4, 16
    .cfi_return_column 15
    .cfi_offset 15, AT_IP
    ldr r1, [sp, #AT_SPSR]
    and r1, r1, #MODE_MASK
    cmp r1, #MODE_USER
    add r2, sp, #52
    bne 1f
    stm r2, {sp, lr}^                           /* user mode's own */
    b 2f
1:  add r1, sp, #REGS_SIZE
    str r1, [r2]
    str lr, [r2, #4]
2:  str r0, [sp, #AT_ENTRY]
    mov r0, sp
    mov r4, sp                                  /* calls want 8 bytes */
    .cfi_def_cfa r4, 0
    bic sp, sp, #7
    bl trap_arrived
    mov sp, r4
    .cfi_endproc

restore:
    ldr r1, [sp, #AT_SPSR]
    and r1, r1, #MODE_MASK
    cmp r1, #MODE_USER
    add r2, sp, #52
    bne 1f
    ldm r2, {sp, lr}^
    nop
    b 2f
1:  ldr lr, [r2, #4]
2:  ldm sp, {r0-r12}
    add sp, sp, #REGS_SIZE - PC_AND_SPSR
    rfeia sp!

/* void frame_return(const struct regs *): go on from these registers */
    .globl frame_return
frame_return:
    mov sp, r0
    b restore

/* void user_enter(ip, sp, arg, flags): never comes back by itself */
    .globl user_enter
user_enter:
    cpsid aif
    push {r1}
    ldr r12, =user_return
    push {r12}
    mov r12, sp
    ldm r12, {lr}^                              /* user mode's lr */
    nop
    add r12, r12, #4
    ldm r12, {sp}^
    nop
    add sp, sp, #8
    push {r3}
    push {r0}
    mov r0, r2
    mov r11, #0
    rfeia sp!
    .ltorg

    .section .note.GNU-stack, "", %progbits
