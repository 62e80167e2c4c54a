/* arch.h (hvm64) - a 64-bit guest on a whole processor: ring 0 and long mode are its own. Entered by PVH, or as firmware. */
#ifndef GUEST_ARCH_HVM64_H
#define GUEST_ARCH_HVM64_H

#define BAD_POINTER 0x0000400000001000 /* nothing is mapped there, ever */
#define PERCPU_SIZE 0x4000              /* struct percpu, trap stack, stack: aligned to its size */
#define TRAP_STACK_END 0x2000
#define IST_STACK_END 0x1000            /* of #DF and NMI, behind struct percpu */
#define ARCH_ASM_WORD ".quad"
#define MAX_VCPUS 8
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_CS32 0x1b                  /* where SYSRET wants them: compat code, data, 64-bit code */
#define USER_SS 0x23
#define USER_CS 0x2b
#define KERNEL_CS32 0x30
#define TSS_SELECTOR 0x40
#define AP_TRAMPOLINE 0x8000            /* guest-physical: where SIPI starts the other processors */

/* Traps that are no exceptions, in regs.vector. */
#define TRAP_SYSCALL 0x100
#define TRAP_FAILSAFE 0x101             /* never comes here: the PV library's */

#ifndef __ASSEMBLER__
#include <x86.h>
#include <faults.h>

/* What the entry stubs build on the stack: entry.S knows this layout. */
struct regs {
    uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    uint64_t vector, error;
    uint64_t ip;
    uint16_t cs, pad0;
    uint8_t upcall_mask, pad1[3];       /* PV's; zero */
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
    unsigned apic_id;
    uint64_t gdt[10];
    uint32_t tss[26];
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

    __asm__ volatile("vmmcall"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     :
                     : "memory", "cc");
    return result;
}

static inline uint64_t arch_cycles(void) { return x86_rdtsc(); }

struct shared_info *guest_shared_info(void);
static inline struct vcpu_info *guest_vcpu_info(void) { return this_cpu()->info; }
static inline unsigned long arch_fault_address(void)
{
    unsigned long cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}
void arch_print_regs(const struct regs *regs);

#include <system.h>
#include <traps.h>
#include <apic.h>
#include <hvm.h>
#endif
#endif
