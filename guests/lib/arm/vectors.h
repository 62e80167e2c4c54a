/* vectors.h (ARM) - what regs.vector may be: the exception class of a syndrome (ESR.EC; also where AArch32 has none and the
 * kind of exception says it), then the asynchronous ones. For C and assembly. Facts: Arm DDI 0487, ESR_EL1.
 */
#ifndef GUEST_ARM_VECTORS_H
#define GUEST_ARM_VECTORS_H

#define MAX_VCPUS 8
#define EC_UNKNOWN 0x00
#define EC_WFX 0x01
#define EC_CP15_32 0x03
#define EC_CP15_64 0x04
#define EC_FP 0x07
#define EC_ILLEGAL 0x0e
#define EC_SVC32 0x11
#define EC_SVC64 0x15
#define EC_SYSREG 0x18
#define EC_IABT_USER 0x20
#define EC_IABT 0x21
#define EC_PC_ALIGN 0x22
#define EC_DABT_USER 0x24
#define EC_DABT 0x25
#define EC_SP_ALIGN 0x26
#define EC_BREAKPOINT_USER 0x30
#define EC_BREAKPOINT 0x31
#define EC_STEP_USER 0x32
#define EC_STEP 0x33
#define EC_WATCHPOINT_USER 0x34
#define EC_WATCHPOINT 0x35
#define EC_BKPT32 0x38
#define EC_BRK64 0x3c
#define TRAP_IRQ 0x40
#define TRAP_FIQ 0x41
#define TRAP_SERROR 0x42
#define TRAP_HANDLERS 0x43

#endif
