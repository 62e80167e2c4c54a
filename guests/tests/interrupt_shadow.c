/* @title  where interrupts wait for one instruction
 * @fact   behind STI, and behind a load of SS, the next instruction is executed before an interrupt is taken; a second STI does not
 *         prolong that; STI; HLT wakes up; NMIs are held back from one NMI to its IRET
 * @source Intel SDM vol. 2 STI, MOV, POP, vol. 3A 6.7.1, 6.8.3
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { IPI = 0x91 };
static unsigned long taken_at;
static unsigned nmis, deepest, depth;

static bool note(struct regs *r)
{
    taken_at = r->ip;
    return false;
}

static bool on_nmi(struct regs *r)
{
    (void)r;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (nmis++ == 0) {
        apic_send(this_cpu()->arch.apic_id, ICR_NMI);
        for (unsigned i = 0; i < 20; i++)
            __asm__ volatile("pause");
        check_eq(nmis, 1);
    }
    depth--;
    return true;
}

/* An interrupt is pending; which of the places behind `insns` is it taken at? */
#define TAKEN(insns, label) \
    ({ \
        unsigned long expected; \
        irq_disable(); \
        apic_send(0, ICR_SELF | IPI); \
        __asm__ volatile("mov %%ss, %%ecx\n\t" insns "\n\tcli" : : : "ecx", "memory"); \
        __asm__ volatile("mov $" label ", %0" : "=r"(expected)); \
        check_eq(taken_at, expected); \
    })

void test_main(void)
{
    interrupt_watch(IPI, NULL);
    trap_set_handler(IPI, note);
    TAKEN("sti\n\tnop\nat_1:\tnop", "at_1");
    TAKEN("sti\n\tsti\nat_2:\tnop\n\tnop", "at_2");
    TAKEN("sti\n\tmov %%ecx, %%ss\nat_3:\tnop\n\tnop", "at_3");
    check_eq(interrupt_count(IPI), 3);
    irq_disable();
    apic_send(0, ICR_SELF | IPI);
    wait_for_interrupt();
    check_eq(interrupt_count(IPI), 4);

    trap_set_handler(X86_EXC_NMI, on_nmi);
    apic_send(this_cpu()->arch.apic_id, ICR_NMI);
    for (unsigned i = 0; i < 20; i++)
        __asm__ volatile("pause");
    check_eq(nmis, 2);
    check_eq(deepest, 1);
}
