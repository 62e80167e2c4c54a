/* virt.S - a program for QEMU's board `virt` (AArch64, GICv2): runs one loop (-DLOOP=loop_register -DITERATIONS=1000) at EL1 with
 * caches and MMU as they are at reset, then turns the machine off by PSCI. Both processors start here when told to.
 */
#define PSCI_SYSTEM_OFF 0x84000008
#define GICD_BASE 0x08000000
#define GICC_BASE 0x08010000
    .text
    .globl _start
_start:
    ldr x0, =stack_top
    mov sp, x0
    ldr x0, =ITERATIONS
    ldr x1, =buffer
    ldr x2, =GICD_BASE
    ldr x3, =GICC_BASE
    bl LOOP
    ldr w0, =PSCI_SYSTEM_OFF
    hvc #0
1:  wfi
    b 1b
    .ltorg
    .bss
    .balign 4096
buffer: .skip 65536
    .skip 4096
stack_top:
