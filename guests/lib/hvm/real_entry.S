/* real_entry.S (HVM) - where code in real mode begins and ends; copied to low memory by real.c. */
#include <real.h>

    .text
    .code16
    .globl real_start, real_start_end, real_common, real_common_end
real_start:
    xor %ax, %ax
    mov %ax, %ss
    mov $REAL_STACK_TOP, %sp
    mov %ax, %ds
    mov %ax, %es
    ljmp $REAL_SEGMENT, $0
real_start_end:

/* From a stub, cs 0. On the stack: vector, ip, cs, flags. */
real_common:
    movl %eax, %cs:REAL_RESULT + 4
    movl %ebx, %cs:REAL_RESULT + 8
    movl %ecx, %cs:REAL_RESULT + 12
    movl %edx, %cs:REAL_RESULT + 16
    movl %esi, %cs:REAL_RESULT + 20
    movl %edi, %cs:REAL_RESULT + 24
    movl %ebp, %cs:REAL_RESULT + 28
    mov %ds, %ax
    mov %ax, %cs:REAL_RESULT + 36
    mov %es, %ax
    mov %ax, %cs:REAL_RESULT + 40
    mov %ss, %ax
    mov %ax, %cs:REAL_RESULT + 44
    pop %ax
    mov %ax, %cs:REAL_RESULT + 48
    pop %ax
    mov %ax, %cs:REAL_RESULT + 52
    pop %ax
    mov %ax, %cs:REAL_RESULT + 56
    pop %ax
    mov %ax, %cs:REAL_RESULT + 60
    mov %sp, %cs:REAL_RESULT + 32
    movl $1, %cs:REAL_RESULT
1:  hlt
    jmp 1b
real_common_end:

    .section .note.GNU-stack, "", @progbits
