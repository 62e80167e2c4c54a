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
#define ARCH_ASM_WORD ".quad"
#define MAX_VCPUS 8

/* Traps that are no exceptions, in regs.vector. */
#define TRAP_SYSCALL 0x100
#define TRAP_FAILSAFE 0x101
/* regs.vector of `int $0x80` and of two more software vectors that have stubs. */
#define TRAP_INT80 0x80
#define TRAP_INT81 0x81
#define TRAP_INT82 0x82

#ifndef __ASSEMBLER__
#include <x86.h>
#include <faults.h>

/* What the entry stubs build on the stack: entry.S knows this layout. */
struct regs {
    uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    uint64_t vector, error;
    uint64_t ip;
    uint16_t cs, pad0;
    uint8_t upcall_mask, pad1[3];
    uint64_t flags, sp, ss;
};

/* Callee-saved registers: setjmp and longjmp by other names. */
struct context {
    uint64_t bx, bp, r12, r13, r14, r15, sp, ip;
};
int context_save(struct context *context) __attribute__((returns_twice));
void context_restore(struct context *context, int value) __attribute__((noreturn));

struct percpu {
    unsigned id;
    struct vcpu_info *info;
    struct context *recover;            /* where an unexpected exception ends a fault_probe() */
    struct context user_exit;           /* where user mode comes back */
    unsigned long user_result;
    bool in_user;
    struct fault fault;
    void (*start)(void *);              /* vcpu_start(): what to run */
    void *start_arg;
};

static inline struct percpu *this_cpu(void)
{
    uint64_t sp;

    __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
    return (struct percpu *)(sp & ~(uint64_t)(PERCPU_SIZE - 1));
}

extern char hypercall_page[4096];

static inline long arch_hypercall(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                                  unsigned long e)
{
    register unsigned long r10 __asm__("r10") = d;
    register unsigned long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("call *%[slot]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     : [slot] "r"(hypercall_page + (nr & 63) * 32)
                     : "rcx", "r11", "r9", "memory", "cc");
    return result;
}

static inline long arch_hypercall_inline(unsigned long nr, unsigned long a, unsigned long b, unsigned long c,
                                         unsigned long d, unsigned long e)
{
    register unsigned long r10 __asm__("r10") = d;
    register unsigned long r8 __asm__("r8") = e;
    long result = (long)nr;

    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "r9", "memory", "cc");
    return result;
}

static inline uint64_t arch_cycles(void) { return x86_rdtsc(); }

struct shared_info *guest_shared_info(void);
static inline struct vcpu_info *guest_vcpu_info(void) { return this_cpu()->info; }
static inline unsigned long arch_fault_address(void) { return guest_vcpu_info()->arch.cr2; }
void arch_print_regs(const struct regs *regs);

#include <traps.h>
#include <pagetable.h>
#include <pv.h>
#endif
#endif
