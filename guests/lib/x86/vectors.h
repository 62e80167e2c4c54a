/* vectors.h - traps that are no exceptions, in regs.vector; and how many vcpus there can be. For C and assembly. */
#ifndef GUEST_X86_VECTORS_H
#define GUEST_X86_VECTORS_H

#define MAX_VCPUS 8
#define TRAP_SYSCALL 0x100
#define TRAP_FAILSAFE 0x101             /* PV's only */
#define TRAP_HANDLERS 0x102
#define USER_FLAGS X86_EFLAGS_IF

#endif
