/* start.S (arm64) - from the entry, by the boot protocol of Linux (x0: device tree; EL1h, MMU off), or by PSCI (x0: the
 * processor's struct percpu), to C with the MMU on. Facts: Linux, Documentation/arch/arm64/booting.rst; Arm DDI 0487, D17.
 */
#include <arch.h>

#define MAIR 0x44ff00                           /* the attributes of mmu.h: device, write-back, uncached */
#define TCR_LOW 0x00803519                      /* 39 bits by TTBR0 (EPD1), 4 KiB, walks write-back and inner shareable */
#define TCR_HIGH 0x2                            /* 40-bit physical addresses */
#define SCTLR_LOW 0xd81d                        /* M, C, SA, SA0, I, DZE, UCT, and bits that are one */
#define SCTLR_HIGH 0x34d5                       /* nTWI, nTWE, UCI, and bits that are one */

    .section .text.start, "ax", %progbits
    .globl _start
_start:
    ldr x1, =percpu_areas + PERCPU_SIZE
    mov sp, x1
    bl setup
    bl guest_start
    brk #0

    .globl ap_entry
ap_entry:
    add x1, x0, #PERCPU_SIZE
    mov sp, x1
    bl setup
    bl vcpu_started
    brk #0

/* Keeps x0. */
setup:
    msr daifset, #15
    ldr x1, =vectors
    msr vbar_el1, x1
    mov x1, #3 << 20                            /* FPEN: tests may use floating point */
    msr cpacr_el1, x1
    mov x1, #3                                  /* EL0 may read the counters */
    msr cntkctl_el1, x1
    ldr x1, =MAIR
    msr mair_el1, x1
    movz x1, #TCR_LOW & 0xffff
    movk x1, #TCR_LOW >> 16, lsl #16
    movk x1, #TCR_HIGH, lsl #32
    msr tcr_el1, x1
    ldr x1, =page_l1
    msr ttbr0_el1, x1
    dsb sy
    isb
    tlbi vmalle1
    ic iallu
    dsb sy
    isb
    movz x1, #SCTLR_LOW
    movk x1, #SCTLR_HIGH, lsl #16
    msr sctlr_el1, x1
    isb
    mov x29, xzr
    ret
    .ltorg

    .section .note.GNU-stack, "", %progbits
