/* @title  task switches by JMP, CALL and IRET
 * @fact   JMP to a TSS frees the old one, CALL nests, IRET with NT goes back; of a bad TSS the error names its selector and the
 *         old task goes on; a bad segment of the new task is #TS, #NP or #SS in the new task; T raises #DB with BT
 * @source Intel SDM vol. 3A 7.3 (table 7-1), 7.2.1 (T), 6.15 (interrupt 10), 17.3.1.5
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>
#include <tss.h>

enum { TASK = SPARE_SELECTOR, HANDLER = SPARE_SELECTOR + 8, ABSENT = SPARE_SELECTOR + 16, TRAP_BIT = 1, BUSY = 2, DR6_BT = 1 << 15 };
static struct tss32 task, handler;
static char handler_stack[1024] __attribute__((aligned(16)));
unsigned long handler_error;
static unsigned handled;
static struct percpu *boot;
static struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) to_task = { 0x77777777, TASK };
static unsigned calls, link_seen, type_old;
static unsigned long flags_seen;
void jumped_to(void), called(void), handle(void);
void note(void), note_error(void);

__asm__(".text\njumped_to:\n\tcall note\n\tljmp *%cs:jump_back\n\tjmp jumped_to\n"
        "called:\n\tcall note\n\tiret\n\tjmp called\n"
        "handle:\n\tpop handler_error\n\tcall note_error\n\tljmp *%cs:jump_back\n");
__asm__(".data\n\t.globl jump_back\njump_back:\n\t.long 0\n\t.word 0x40\n.text\n");

void note(void)
{
    calls++;
    link_seen = task.link;
    flags_seen = x86_flags();
    type_old = (unsigned)(gdt_get(TSS_SELECTOR) >> 40 & 0xff);
}

void note_error(void)
{
    handled++;
    boot->arch.gdt[TSS_SELECTOR / 8] &= ~((uint64_t)BUSY << 40);               /* to which handle: jumps */
}

/* In the room for the stack, so that this_cpu() is what it is. */
static void *task_stack(void) { return (char *)this_cpu() + TRAP_STACK_END + 0x800; }

static void prepare(void (*entry)(void), unsigned type, uint32_t limit)
{
    tss32_init(&task, entry, task_stack());
    gdt_put(TASK, descriptor((uint32_t)&task, limit, type, 0));
    calls = 0;
    type_old = link_seen = 0;
}

static void refused(unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("lcall *%0") : : "m"(to_task) : "memory", "cc");
    check_fault(f, vector, error);
    check(!f->behind);
    f = fault_arm();
    __asm__ volatile(FAULTING("ljmp *%0") : : "m"(to_task) : "memory", "cc");
    check_fault(f, vector, error);
    check(!f->behind);
    check_eq(calls, 0);
}

static void call_task(void *unused) { (void)unused; __asm__ volatile("lcall *%0" : : "m"(to_task) : "memory", "cc"); }

/* The new task cannot begin: the exception is its own. Some of its segments are not there: another task handles it. */
static void fails_in_new_task(unsigned vector, unsigned long error)
{
    struct gate *gate = trap_gate_address(vector), old = *gate;

    tss32_init(&handler, handle, handler_stack + sizeof(handler_stack));
    gdt_put(HANDLER, descriptor((uint32_t)&handler, sizeof(handler) - 1, DESC_TSS, 0));
    *gate = (struct gate){ .selector = HANDLER, .type = 0x80 | GATE_TASK };
    handler_error = handled = 0;
    call_task(NULL);
    *gate = old;
    check_eq(handled, 1);
    check_eq(handler_error, error);
    check_eq(handler.link, TASK);
    check_eq(task.eip, (unsigned long)called);
    check_eq(calls, 0);
}

static unsigned long user_task(unsigned long x) { __asm__ volatile("lcall *%0" : : "m"(to_task) : "memory", "cc"); return x; }

void test_main(void)
{
    struct tss32 *own = (struct tss32 *)this_cpu()->arch.tss;
    struct fault *f;

    boot = this_cpu();
    own->cr3 = (uint32_t)read_cr3();
    prepare(jumped_to, DESC_TSS, sizeof(task) - 1);
    __asm__ volatile("ljmp *%0" : : "m"(to_task) : "memory", "cc");
    check_eq(calls, 1);
    check_eq(link_seen, 0);
    check(!(flags_seen & X86_EFLAGS_NT));
    check_eq(type_old, DESC_TSS);                                /* free while the other ran */
    check_eq(gdt_get(TASK) >> 40 & 0xff, DESC_TSS);

    prepare(called, DESC_TSS, sizeof(task) - 1);
    __asm__ volatile("lcall *%0" : : "m"(to_task) : "memory", "cc");
    check_eq(calls, 1);
    check_eq(link_seen, TSS_SELECTOR);
    check(flags_seen & X86_EFLAGS_NT);
    check_eq(type_old, DESC_TSS_BUSY);
    check_eq(gdt_get(TASK) >> 40 & 0xff, DESC_TSS);
    check(!(x86_flags() & X86_EFLAGS_NT));

    prepare(called, DESC_TSS_BUSY, sizeof(task) - 1);
    refused(X86_EXC_GP, TASK);
    prepare(called, DESC_TSS & ~DESC_ABSENT, sizeof(task) - 1);
    refused(X86_EXC_NP, TASK);
    prepare(called, DESC_TSS, sizeof(task) - 2);
    refused(X86_EXC_TS, TASK);
    prepare(called, DESC_TSS, sizeof(task) - 1);
    f = fault_arm();
    user_call(user_task, 0);
    check_fault(f, X86_EXC_GP, TASK);
    check_eq(f->cs, USER_CS);

    /* IRET with NT to a task that is not busy. */
    own->link = TASK;
    f = fault_arm();
    __asm__ volatile("pushf\n\tpushf\n\torl $0x4000, (%%esp)\n\tpopf\n\t" FAULTING("iret") "popf" : : : "memory", "cc");
    check_fault(f, X86_EXC_TS, TASK);
    own->link = 0;

    prepare(called, DESC_TSS, sizeof(task) - 1);
    task.cs = KERNEL_SS;
    fails_in_new_task(X86_EXC_TS, KERNEL_SS);
    prepare(called, DESC_TSS, sizeof(task) - 1);
    task.ds = 0x7f8;
    fails_in_new_task(X86_EXC_TS, 0x7f8);
    prepare(called, DESC_TSS, sizeof(task) - 1);
    task.ldt = KERNEL_SS;
    fails_in_new_task(X86_EXC_TS, KERNEL_SS);
    gdt_put(ABSENT, flat_descriptor(DESC_DATA & ~DESC_ABSENT, DESC_B));
    prepare(called, DESC_TSS, sizeof(task) - 1);
    task.es = ABSENT;
    fails_in_new_task(X86_EXC_NP, ABSENT);
    prepare(called, DESC_TSS, sizeof(task) - 1);
    task.ss = ABSENT;
    fails_in_new_task(X86_EXC_SS, ABSENT);

    prepare(called, DESC_TSS, sizeof(task) - 1);
    task.trap = TRAP_BIT;
    write_dr6(0);
    f = fault_arm();
    check(!fault_probe(call_task, NULL));
    check_fault(f, X86_EXC_DB, 0);
    check_eq(f->ip, (unsigned long)called);
    check(read_dr6() & DR6_BT);
    gdt_put(TSS_SELECTOR, gdt_get(TSS_SELECTOR) & ~((uint64_t)BUSY << 40));    /* TASK is what still runs */
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    x86_set_flags(x86_flags() & ~(unsigned long)X86_EFLAGS_NT);
}
