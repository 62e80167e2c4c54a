/* start.S (arm32) - from the entry, by the boot protocol of Linux (r2: device tree; supervisor mode, MMU off), or by PSCI (r0:
 * the processor's struct percpu), to C with the MMU on. Facts: Linux, Documentation/arch/arm/booting.rst; Arm DDI 0406C, B4.1.
 */
#include <arch.h>

#define MAIR 0x0044ff00                         /* the attributes of mmu.h: device, write-back, uncached */
#define TTBCR 0x80803500                        /* EAE: long descriptors; EPD1; walks write-back and inner shareable */
#define SCTLR 0x00c51c7d                        /* M, C, I, Z, CP15BEN, nTWI, nTWE, and bits that are one */

    .arm
    .section .text.start, "ax", %progbits
    .globl _start
_start:
    cpsid aif, #MODE_SVC
    ldr sp, =percpu_areas + PERCPU_SIZE
    mov r0, r2
    bl setup
    bl guest_start
    udf #0

    .globl ap_entry
ap_entry:
    cpsid aif, #MODE_SVC
    add sp, r0, #PERCPU_SIZE
    bl setup
    bl vcpu_started
    udf #0

/* Keeps r0. */
setup:
    ldr r1, =vectors
    mcr p15, 0, r1, c12, c0, 0                  /* VBAR */
    mov r1, #0xf << 20                          /* CPACR: tests may use floating point */
    mcr p15, 0, r1, c1, c0, 2
    mov r1, #3                                  /* CNTKCTL: user mode may read the counters */
    mcr p15, 0, r1, c14, c1, 0
    ldr r1, =MAIR
    mcr p15, 0, r1, c10, c2, 0                  /* MAIR0 */
    mov r1, #0
    mcr p15, 0, r1, c10, c2, 1
    ldr r1, =TTBCR
    mcr p15, 0, r1, c2, c0, 2
    ldr r1, =page_l1
    mov r2, #0
    mcrr p15, 0, r1, r2, c2                     /* TTBR0 */
    dsb
    isb
    mcr p15, 0, r2, c8, c7, 0                   /* TLBIALL */
    mcr p15, 0, r2, c7, c5, 0                   /* ICIALLU */
    dsb
    isb
    ldr r1, =SCTLR
    mcr p15, 0, r1, c1, c0, 0
    isb
    mov r11, #0
    bx lr
    .ltorg

    .section .note.GNU-stack, "", %progbits
