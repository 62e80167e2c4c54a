/* multiboot.S - a Multiboot 1 kernel for QEMU: switches to long mode, runs one compute loop (-DLOOP=loop_register
 * -DITERATIONS=1000), leaves through isa-debug-exit at port 0xf4. Multiboot specification 0.6.96, section 3. */
#define MAGIC 0x1BADB002
#define FLAGS 0
    .section .multiboot, "ax"
    .globl _start
    .balign 4
header:
    .long MAGIC, FLAGS, -(MAGIC + FLAGS)
    .code32
_start:
    mov $stack_top, %esp
    mov $pd, %edi               /* identity map of the first 4 GiB in 2 MiB pages: the devices are there */
    mov $0x83, %eax
    mov $2048, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    movl $pd + 0x7, pdpt
    movl $pd + 0x1007, pdpt + 8
    movl $pd + 0x2007, pdpt + 16
    movl $pd + 0x3007, pdpt + 24
    movl $pdpt + 7, pml4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0x620, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000033, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode
    .code64
long_mode:
    mov $16, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    mov $ITERATIONS, %rdi
    mov $buffer, %esi
    call LOOP
    mov $0xf4, %edx
    xor %eax, %eax
    out %al, %dx
2:  hlt
    jmp 2b
    .balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt
    .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4 * 4096
buffer: .skip 65536
    .skip 4096
stack_top:
    .section .note.GNU-stack, "", @progbits
