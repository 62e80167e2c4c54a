/* exceptions_arm64.S - what goes through exception levels and processors, the same bytes for an ARM guest and for QEMU's
 * board. Each: iterations in x0, a buffer of 64 KiB in x1, GICv2's distributor in x2, its CPU interface in x3; at EL1 with
 * interrupts masked. Facts: Arm DDI 0487 D1.10 (vectors), IHI 0048B (GICv2), DEN 0022D (PSCI).
 */
    .equ PSCI_VERSION, 0x84000000
    .equ PSCI_CPU_ON, 0xc4000003
    .equ EL0_MASKED, 0x3c0
    .equ GICD_CTLR, 0
    .equ GICD_ISENABLER, 0x100
    .equ GICD_SGIR, 0xf00
    .equ GICC_CTLR, 0
    .equ GICC_PMR, 4
    .equ GICC_IAR, 0xc
    .equ GICC_EOIR, 0x10
    .equ SGI, 1
    .equ SPURIOUS, 1020
    .text
    .balign 64
    .globl loop_psci
loop_psci:                      /* a call that the hypervisor, or QEMU in its place, answers at once */
    mov x9, x0
1:  ldr w0, =PSCI_VERSION
    hvc #0
    subs x9, x9, #1
    b.ne 1b
    ret

    .balign 64
    .globl loop_svc
loop_svc:                       /* 5 instructions an iteration: from EL0 to EL1 and back */
    mrs x4, vbar_el1
    adr x5, svc_vectors
    msr vbar_el1, x5
    adr x5, 1f
    msr elr_el1, x5
    mov x5, #EL0_MASKED
    msr spsr_el1, x5
    eret
1:  svc #0
    subs x0, x0, #1
    b.ne 1b
    svc #0
svc_end:
    msr vbar_el1, x4
    isb
    ret
    .balign 2048
svc_vectors:
    .org svc_vectors + 0x400    /* synchronous, from EL0 */
    cbz x0, svc_end
    eret
    .org svc_vectors + 0x800

    .macro gic_on               /* of this processor */
    mov w4, #0xff
    str w4, [x3, #GICC_PMR]
    mov w4, #1
    str w4, [x3, #GICC_CTLR]
    mov w4, #(1 << SGI)
    str w4, [x2, #GICD_ISENABLER]
    .endm
    .macro ipi_wait             /* for the other's interrupt, and take it */
1:  wfi
    ldr w4, [x3, #GICC_IAR]
    and w6, w4, #0x3ff          /* above it: which processor sent it */
    cmp w6, #SPURIOUS
    b.hs 1b
    str w4, [x3, #GICC_EOIR]
    .endm

    .balign 64
    .globl loop_ipi
loop_ipi:                       /* an interrupt to processor 1, and its answer */
    mov x9, x0
    mov w4, #1
    str w4, [x2, #GICD_CTLR]
    gic_on
    stp x2, x3, [x1]
    mov x3, x1
    ldr w0, =PSCI_CPU_ON
    mov x1, #1
    adr x2, second
    hvc #0
    ldp x2, x3, [x3]
    ipi_wait                    /* it is there */
    ldr w5, =(1 << 17 | SGI)
2:  str w5, [x2, #GICD_SGIR]
    ipi_wait
    subs x9, x9, #1
    b.ne 2b
    ret
second:
    ldp x2, x3, [x0]
    gic_on
    ldr w5, =(1 << 16 | SGI)
3:  str w5, [x2, #GICD_SGIR]
    ipi_wait
    b 3b
    .ltorg
