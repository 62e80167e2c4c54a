/* smp.c (PV) - further vcpus (xen/include/public/vcpu.h). */
#include <guest.h>

void vcpu_entry(void);
void vcpu_started(void) __attribute__((noreturn));

void vcpu_context(struct vcpu_guest_context *c, unsigned id, void (*fn)(void *), void *arg)
{
    struct percpu *cpu = cpu_area(id);
    unsigned n = 0;

    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = (unsigned long)vcpu_entry;
    c->user_regs.rsp = (unsigned long)cpu + PERCPU_SIZE;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = (unsigned long)cpu + TRAP_STACK_END;
    for (const struct trap_info *t = traps_table(); t->address; t++, n++)
        c->trap_ctxt[t->vector] = *t;
    c->ctrlreg[3] = xen_pfn_to_cr3(virt_to_mfn(pt_root()));
    c->event_callback_eip = (unsigned long)trap_event;
    c->failsafe_callback_eip = (unsigned long)trap_failsafe;
    c->syscall_callback_eip = (unsigned long)trap_syscall;
    cpu->start = fn;
    cpu->start_arg = arg;
}

void vcpu_started(void)
{
    struct percpu *cpu = this_cpu();

    cpu->start(cpu->start_arg);
    hcall(vcpu_op, VCPUOP_down, cpu->id, 0);
    fail("vcpu %u went on after VCPUOP_down", cpu->id);
}

long vcpu_start(unsigned id, void (*fn)(void *), void *arg)
{
    static struct vcpu_guest_context context;

    vcpu_context(&context, id, fn, arg);
    long rc = hcall(vcpu_op, VCPUOP_initialise, id, &context);

    return rc ? rc : hcall(vcpu_op, VCPUOP_up, id, 0);
}
