/* frame.h - the frame of a trap on the stack, as struct regs (regs.h) has it: macros for entry.S. */
#ifndef GUEST_X86_32_FRAME_H
#define GUEST_X86_32_FRAME_H

#define FRAME_VECTOR 44
#define FRAME_ERROR 48
#define FRAME_IP 52
#define FRAME_CS 56
#define FRAME_FLAGS 60
#define FRAME_SP 64
#define FRAME_SS 68
#define FLAGS_VM 0x20000

/* Every register, with vector and error code pushed before. */
.macro PUSH_REGISTERS
    push %eax
    push %ecx
    push %edx
    push %ebx
    push %ebp
    push %esi
    push %edi
    push %ds
    push %es
    push %fs
    push %gs
.endm

/* All of them back; esp is then at the vector. */
.macro POP_REGISTERS
    pop %gs
    pop %fs
    pop %es
    pop %ds
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    pop %edx
    pop %ecx
    pop %eax
.endm

#endif
