/* arch.h (pv64) - a 64-bit PV guest: the guest kernel and its users at CPL 3, page tables with machine frames. */
#ifndef GUEST_ARCH_PV64_H
#define GUEST_ARCH_PV64_H

#ifdef GUEST_LOW
#define VIRT_BASE 0x0
#else
#define VIRT_BASE 0xffffffff80000000
#endif
#ifdef GUEST_P2M
#define INIT_P2M 0x0000100000000000     /* where this kernel wants its p2m */
#endif
#define BAD_POINTER 0x0000400000001000 /* nothing is mapped there, ever */
#define PERCPU_SIZE 0x4000              /* struct percpu, trap stack, stack: aligned to its size */
#define TRAP_STACK_END 0x2000
#define HYPERCALL_INSN "syscall"

/* regs.vector of `int $0x80` and of two more software vectors that have stubs. */
#define TRAP_INT80 0x80
#define TRAP_INT81 0x81
#define TRAP_INT82 0x82

#ifndef __ASSEMBLER__
#include <stdbool.h>

struct percpu_arch {
    bool user_table_set;                /* Xen knows the page table of its user mode */
};
#endif
#include <regs.h>
#ifndef __ASSEMBLER__
static inline unsigned long arch_fault_address(void) { return guest_vcpu_info()->arch.cr2; }

#include <traps.h>
#include <pagetable.h>
#include <pv.h>
#endif
#endif
