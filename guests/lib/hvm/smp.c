/* smp.c (HVM) - further processors, started as the Intel SDM says: volume 3, 8.4.4. */
#include <guest.h>

extern char ap_trampoline[], ap_trampoline_end[];
extern unsigned long ap_stack;
void vcpu_started(void) __attribute__((noreturn));
static unsigned running;

enum { TURNS = 200000 };

void vcpu_started(void)
{
    struct percpu *cpu = this_cpu();

    traps_init();
    apic_enable();
    WRITE_ONCE(running, cpu->id);
    cpu->start(cpu->start_arg);
    for (;;)
        __asm__ volatile("cli; hlt");
}

long vcpu_start(unsigned id, void (*fn)(void *), void *arg)
{
    struct percpu *cpu = cpu_area(id);

    cpu->start = fn;
    cpu->start_arg = arg;
    memcpy((void *)AP_TRAMPOLINE, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    WRITE_ONCE(ap_stack, (unsigned long)cpu + PERCPU_SIZE);
    WRITE_ONCE(running, 0);
    apic_send(2 * id, ICR_INIT);
    apic_send(2 * id, ICR_START_UP | AP_TRAMPOLINE >> PAGE_SHIFT);
    return wait_while(&running, 0, TURNS) && running == id ? 0 : -1;
}
