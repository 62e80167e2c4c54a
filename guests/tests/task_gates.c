/* @title  task gates
 * @fact   an exception or INT n through a task gate runs another task: the old one's registers are in its TSS, the new one has
 *         NT, the link and, on its stack, the error code; IRET goes back; CR0.TS is set and the busy bits follow
 * @source Intel SDM vol. 3A 7.2.5, 7.3, 7.4, 6.12.2
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>
#include <tss.h>

enum { TASK = SPARE_SELECTOR, N = 0x90 };
static struct tss32 task;
static char stack[4096] __attribute__((aligned(16)));
void task_entry(void), task_entry_error(void);
void task_body(void);
unsigned long task_error;
static unsigned calls, skip;
static struct { unsigned link, cr0, type_old, type_new; unsigned long flags; struct tss32 old; } seen;

__asm__(".text\ntask_entry:\n\tcall task_body\n\tiret\n\tjmp task_entry\n"
        "task_entry_error:\n\tpop task_error\n\tcall task_body\n\tiret\n\tjmp task_entry_error\n");

static struct percpu *boot;

void task_body(void)
{
    struct tss32 *old = (struct tss32 *)boot->arch.tss;

    calls++;
    seen.link = task.link;
    seen.cr0 = (unsigned)read_cr0();
    seen.flags = x86_flags();
    seen.type_old = (unsigned)(boot->arch.gdt[TSS_SELECTOR / 8] >> 40 & 0xff);
    seen.type_new = (unsigned)(boot->arch.gdt[TASK / 8] >> 40 & 0xff);
    seen.old = *old;
    old->eip += skip;
}

static void prepare(void (*entry)(void), unsigned vector)
{
    struct gate *gate = trap_gate_address(vector);

    tss32_init(&task, entry, stack + sizeof(stack));
    gdt_put(TASK, descriptor((uint32_t)&task, sizeof(task) - 1, DESC_TSS, 0));
    *gate = (struct gate){ .selector = TASK, .type = 0x80 | 0x60 | GATE_TASK };
    calls = 0;
    task_error = 0xbad;
    __asm__ volatile("clts");
}

static void looked_at(unsigned old_code)
{
    check_eq(calls, 1);
    check_eq(seen.link, TSS_SELECTOR);
    check(seen.flags & X86_EFLAGS_NT);
    check(!(seen.flags & X86_EFLAGS_IF));
    check(seen.cr0 & X86_CR0_TS);
    check_eq(seen.type_old, DESC_TSS_BUSY);
    check_eq(seen.type_new, DESC_TSS_BUSY);
    check_eq(seen.old.cs, KERNEL_CS);
    check_eq(seen.old.ss, KERNEL_SS);
    check_eq(seen.old.ebx, 0xb0b0b0b0);
    check_eq(*(uint8_t *)seen.old.eip, old_code);
    /* And back. */
    check_eq((gdt_get(TASK) >> 40 & 0xff), DESC_TSS);
    check_eq((gdt_get(TSS_SELECTOR) >> 40 & 0xff), DESC_TSS_BUSY);
    check(!(x86_flags() & X86_EFLAGS_NT));
    check(read_cr0() & X86_CR0_TS);
}

void test_main(void)
{
    boot = this_cpu();
    ((struct tss32 *)boot->arch.tss)->cr3 = (uint32_t)read_cr3();

    prepare(task_entry, X86_EXC_UD);
    skip = 2;
    __asm__ volatile("ud2" : : "b"(0xb0b0b0b0) : "memory");
    looked_at(0x0f);
    check(seen.old.eflags & X86_EFLAGS_RF);
    __asm__ volatile("ud2" : : "b"(0xb0b0b0b0) : "memory");    /* the task goes on behind its IRET */
    check_eq(calls, 2);

    prepare(task_entry, N);
    skip = 0;
    __asm__ volatile("int %0\n\tnop" : : "i"(N), "b"(0xb0b0b0b0) : "memory");
    looked_at(0x90);
    check(!(seen.old.eflags & X86_EFLAGS_RF));

    prepare(task_entry_error, X86_EXC_GP);
    skip = 2;
    __asm__ volatile("mov %%ax, %%ds" : : "a"(0x7f8), "b"(0xb0b0b0b0) : "memory");
    looked_at(0x8e);
    check_eq(task_error, 0x7f8);
    trap_gate(X86_EXC_GP, 0, true);

    /* The gate itself. */
    struct gate *gate = trap_gate_address(N);
    struct fault *f;
    prepare(task_entry, N);
    gdt_put(TASK, descriptor((uint32_t)&task, sizeof(task) - 1, DESC_TSS_BUSY, 0));
    f = fault_arm();
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, X86_EXC_GP, TASK);
    gdt_put(TASK, descriptor((uint32_t)&task, sizeof(task) - 1, DESC_TSS & ~DESC_ABSENT, 0));
    f = fault_arm();
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, X86_EXC_NP, TASK);
    gdt_put(TASK, descriptor((uint32_t)&task, sizeof(task) - 2, DESC_TSS, 0));
    f = fault_arm();
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, X86_EXC_TS, TASK);
    gate->selector = KERNEL_CS;
    f = fault_arm();
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, X86_EXC_GP, KERNEL_CS);
    check_eq(calls, 0);
}
