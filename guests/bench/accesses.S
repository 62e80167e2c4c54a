/* accesses.S - accesses to a PC's devices for `make bench`, the same bytes for an HVM guest and for QEMU.
 * Each: iterations in rdi, nothing returned, caller-saved registers only; an iteration is one read.
 * ACCESSES in tests/bench/accesses.py says which device answers where. */
    .macro port_loop name, port
    .balign 64
    .globl \name
\name:
    mov $\port, %edx
1:  in (%dx), %al
    dec %rdi
    jnz 1b
    ret
    .endm

    .macro memory_loop name, address
    .balign 64
    .globl \name
\name:
    mov $\address, %edx
1:  mov (%rdx), %eax
    dec %rdi
    jnz 1b
    ret
    .endm

    .text
    port_loop loop_port, 0x3fd              /* line status of the first serial port */
    port_loop loop_port_controller, 0x21    /* mask of the first 8259A */
    memory_loop loop_mmio, 0xfed00000       /* capabilities of the HPET */
    memory_loop loop_mmio_controller, 0xfee00030    /* version of the local APIC */

    .section .note.GNU-stack, "", @progbits
