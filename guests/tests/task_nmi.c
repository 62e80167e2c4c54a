/* @title  NMI through a task gate
 * @fact   an NMI runs the task of its gate and is held back there until the task's IRET; another one then comes at once
 * @source Intel SDM vol. 3A 6.7.1, 6.12.2, 7.3
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>
#include <tss.h>

enum { TASK = SPARE_SELECTOR, BEFORE_AGAIN = 20 };
static struct tss32 task;
static char stack[4096] __attribute__((aligned(16)));
static unsigned runs, deepest, depth, held;
static struct percpu *boot;
void nmi_entry(void), nmi_body(void);

__asm__(".text\nnmi_entry:\n\tcall nmi_body\n\tiret\n\tjmp nmi_entry\n");

void nmi_body(void)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (runs++ == 0) {
        apic_send(boot->arch.apic_id, ICR_NMI);
        for (unsigned i = 0; i < BEFORE_AGAIN; i++)
            __asm__ volatile("pause");
        held = runs == 1;
    }
    check_eq(task.link, TSS_SELECTOR);
    depth--;
}

void test_main(void)
{
    boot = this_cpu();
    ((struct tss32 *)boot->arch.tss)->cr3 = (uint32_t)read_cr3();
    tss32_init(&task, nmi_entry, stack + sizeof(stack));
    gdt_put(TASK, descriptor((uint32_t)&task, sizeof(task) - 1, DESC_TSS, 0));
    *(struct gate *)trap_gate_address(X86_EXC_NMI) = (struct gate){ .selector = TASK, .type = 0x80 | GATE_TASK };
    apic_send(boot->arch.apic_id, ICR_NMI);
    for (unsigned turns = 0; turns < 1000 && READ_ONCE(runs) < 2; turns++)
        __asm__ volatile("pause");
    check_eq(runs, 2);
    check_eq(deepest, 1);
    check(held);
    check_eq(gdt_get(TASK) >> 40 & 0xff, DESC_TSS);
}
