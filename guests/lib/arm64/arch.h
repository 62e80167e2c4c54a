/* arch.h (arm64) - an AArch64 guest: EL1 is its own, with the MMU on (mmu.h) and every address its own. */
#ifndef GUEST_ARCH_ARM64_H
#define GUEST_ARCH_ARM64_H

#define BAD_POINTER 0x0000400000001000 /* nothing is mapped there, ever */
#define PERCPU_SIZE 0x4000              /* struct percpu, stack: aligned to its size */
#define ARCH_ASM_WORD ".quad"
#define TRAP_SYSCALL EC_SVC64
#define USER_FLAGS 0                    /* EL0t, interrupts on */
#define ARCH_PSCI PSCI_FN64             /* the calling convention */
#define REGS_SIZE 304                   /* struct regs */

#include <vectors.h>
#ifndef __ASSEMBLER__
#include <regs.h>
#include <sysreg.h>
#include <handlers.h>
#include <arm.h>
#endif
#endif
