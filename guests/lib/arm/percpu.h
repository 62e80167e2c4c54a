/* percpu.h (ARM) - the area of a vcpu, and what follows from it. Included by regs.h, behind struct context. */
#ifndef GUEST_ARM_PERCPU_H
#define GUEST_ARM_PERCPU_H
#include <faults.h>

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
    volatile uint32_t *redistributor;   /* of a GICv3 */
    struct vcpu_info own_info __attribute__((aligned(64)));     /* shared_info has that of vcpu 0 only */
};

static inline struct percpu *this_cpu(void)
{
    unsigned long sp;

    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return (struct percpu *)(sp & ~(unsigned long)(PERCPU_SIZE - 1));
}

struct shared_info *guest_shared_info(void);
static inline struct vcpu_info *guest_vcpu_info(void) { return this_cpu()->info; }

#endif
