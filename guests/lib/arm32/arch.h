/* arch.h (arm32) - an ARMv7 guest: the privileged modes are its own, with the MMU on (mmu.h: LPAE) and every address its own. */
#ifndef GUEST_ARCH_ARM32_H
#define GUEST_ARCH_ARM32_H

#define BAD_POINTER 0xfffff000         /* nothing is mapped there, ever */
#define PERCPU_SIZE 0x4000             /* struct percpu, stack: aligned to its size */
#define ARCH_ASM_WORD ".long"
#define TRAP_SYSCALL EC_SVC32
#define USER_FLAGS 0x10                /* user mode, interrupts on */
#define ARCH_PSCI 0                    /* the calling convention */
#define REGS_SIZE 88                   /* struct regs */
#define MODE_SVC 0x13

#include <vectors.h>
#ifndef __ASSEMBLER__
#include <regs.h>
#include <sysreg.h>
#include <handlers.h>
#include <arm.h>
#endif
#endif
