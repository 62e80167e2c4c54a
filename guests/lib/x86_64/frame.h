/* frame.h - the frame of a trap on the stack, as struct regs (regs.h) has it: macros for entry.S.
 *
 * The .cfi lines lead a debugger from a handler to the code that was interrupted. They are in .debug_frame, which is
 * not loaded. CFA is where the interrupted rip is saved.
 */
#ifndef GUEST_X86_64_FRAME_H
#define GUEST_X86_64_FRAME_H

    .cfi_sections .debug_frame
/* At vector and error code. Ends with .cfi_endproc. */
.macro TRAP_FRAME
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 16
    .cfi_offset %rip, 0
    .cfi_offset %rsp, 24
.endm

/* Every general register but rdi, which is pushed before. */
.macro PUSH_REGISTERS
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
.endm

/* Where a debugger finds them from here on. */
.macro SAVED_REGISTERS
    .cfi_def_cfa_offset 136
    .set saved_at, -136
    .irp register, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    .cfi_offset %\register, saved_at
    .set saved_at, saved_at + 8
    .endr
.endm

/* All of them back, rdi too; vector and error code are dropped. */
.macro POP_REGISTERS
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
    add $16, %rsp
.endm

#endif
