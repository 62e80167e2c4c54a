/* smp.c (ARM) - PSCI, and further processors by it. Facts: Arm DEN 0022. */
#include <guest.h>

void vcpu_started(void) __attribute__((noreturn));
void ap_entry(void);

unsigned long cpu_affinity(unsigned id)
{
    return (id & 15) | (unsigned long)(id >> 4) << 8;
}

/* vcpu_info of all but vcpu 0 is in memory of the guest's own. */
static void register_info(struct percpu *cpu)
{
    unsigned long at = (unsigned long)&cpu->own_info;
    struct vcpu_register_vcpu_info op = { .mfn = at >> PAGE_SHIFT, .offset = at & (PAGE_SIZE - 1) };

    if (hcall(vcpu_op, VCPUOP_register_vcpu_info, cpu->id, &op))
        broken("vcpu %u: its vcpu_info was refused", cpu->id);
}

void vcpu_started(void)
{
    struct percpu *cpu = this_cpu();

    register_info(cpu);
    gic_init_cpu();
    gic_enable(GUEST_EVTCHN_PPI);
    cpu->start(cpu->start_arg);
    events_disable();
    psci(PSCI_FN_CPU_OFF, 0, 0, 0);
    broken("vcpu %u cannot be turned off", cpu->id);
}

long vcpu_start(unsigned id, void (*fn)(void *), void *arg)
{
    struct percpu *cpu = cpu_area(id);

    cpu->start = fn;
    cpu->start_arg = arg;
    arch_barrier();
    return psci(PSCI_FN_CPU_ON | ARCH_PSCI, cpu_affinity(id), (unsigned long)ap_entry, (unsigned long)cpu);
}
