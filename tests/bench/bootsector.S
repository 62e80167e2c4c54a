/* bootsector.S - one line on the first serial port, then out through isa-debug-exit: the least that QEMU can be asked. */
    .code16
    .globl _start
_start:
    xor %ax, %ax
    mov %ax, %ds
    mov $text, %si
1:  lodsb
    test %al, %al
    jz 2f
    mov $0x3f8, %dx
    out %al, %dx
    jmp 1b
2:  mov $0xf4, %dx
    out %al, %dx
    hlt
text: .asciz "Hello from a boot sector\n"
    .org 510
    .word 0xaa55
