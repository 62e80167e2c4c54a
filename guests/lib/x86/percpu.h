/* percpu.h - the area of a vcpu, and what follows from it. Included by regs.h, behind struct context. */
#ifndef GUEST_X86_PERCPU_H
#define GUEST_X86_PERCPU_H
#include <faults.h>
#include <x86.h>

/* At the bottom of its PERCPU_SIZE bytes, whose top is the vcpu's stack. */
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
    struct percpu_arch arch;
};

static inline struct percpu *this_cpu(void)
{
    unsigned long sp;

    __asm__ volatile("mov %%" ARCH_STACK_POINTER ", %0" : "=r"(sp));
    return (struct percpu *)(sp & ~(unsigned long)(PERCPU_SIZE - 1));
}

struct shared_info *guest_shared_info(void);
static inline struct vcpu_info *guest_vcpu_info(void) { return this_cpu()->info; }

/* System time from any vcpu_time_info (a vcpu's, or a secondary area), by the version protocol (xen/include/public/xen.h);
 * clock_ns() is that of this vcpu. */
struct vcpu_time_info;
uint64_t clock_ns_from(const struct vcpu_time_info *time);

#endif
