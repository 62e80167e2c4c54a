/* entry.S (arm64) - the vector table; from an exception to C and back; into user mode and out of it. */
#include <arch.h>

#define AT_SP 248
#define AT_IP 256
#define AT_ESR 272
#define AT_VECTOR 288

    .cfi_sections .debug_frame
    .text
    .balign 0x800
    .globl vectors
vectors:
    .set n, 0
    .rept 16
    .balign 0x80
    sub sp, sp, #REGS_SIZE
    stp x0, x1, [sp]
    mov x0, #n
    b exception
    .set n, n + 1
    .endr

    .balign 0x80
exception:                                      /* x0: which of the sixteen */
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa sp, 0
    .cfi_offset sp, AT_SP
    .cfi_offset x30, 240
    .cfi_offset x29, 232
    .cfi_return_column 32
    .cfi_offset 32, AT_IP
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    add x1, sp, #REGS_SIZE
    mrs x2, sp_el0
    sub x3, x0, #4
    cmp x3, #4                                  /* entries 4 to 7: the stack that we are on */
    csel x1, x1, x2, lo
    stp x30, x1, [sp, #240]
    mrs x1, elr_el1
    mrs x2, spsr_el1
    stp x1, x2, [sp, #AT_IP]
    mrs x1, esr_el1
    mrs x2, far_el1
    stp x1, x2, [sp, #AT_ESR]
    lsr x1, x1, #26                             /* the class; or TRAP_IRQ and so on */
    ands x2, x0, #3
    add x2, x2, #TRAP_IRQ - 1
    csel x1, x1, x2, eq
    stp x1, x0, [sp, #AT_VECTOR]
    mov x0, sp
    bl trap_entry
    .cfi_endproc

restore:
    ldp x1, x2, [sp, #AT_IP]
    msr elr_el1, x1
    msr spsr_el1, x2
    ldp x1, x0, [sp, #AT_VECTOR]
    ldp x30, x1, [sp, #240]
    sub x0, x0, #4
    cmp x0, #4
    b.lo 1f
    msr sp_el0, x1
1:  ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldp x0, x1, [sp]
    add sp, sp, #REGS_SIZE
    eret

/* void frame_return(const struct regs *): go on from these registers */
    .globl frame_return
frame_return:
    mov sp, x0
    b restore

/* void user_enter(ip, sp, arg, flags): never comes back by itself */
    .globl user_enter
user_enter:
    msr elr_el1, x0
    msr sp_el0, x1
    msr spsr_el1, x3
    mov x0, x2
    ldr x30, =user_return
    mov x29, xzr
    eret
    .ltorg

    .section .note.GNU-stack, "", %progbits
