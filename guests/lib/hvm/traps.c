/* traps.c (HVM) - descriptor tables, exceptions, user mode. Facts: Intel SDM volume 3, 6.14 and 7.7. */
#include <guest.h>

enum { HANDLERS = TRAP_SYSCALL + 1, USER_STACK = 8192, IST = 1, STUB_BYTES = 16 };
struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern char trap_stubs[], boot_gdt[], boot_gdt_end[];
extern uint64_t syscall_stack;
void trap_syscall(void);
void trap_entry(struct regs *regs);

static struct gate idt[256] __attribute__((aligned(16)));
static trap_handler *handlers[HANDLERS];
static char user_stack[USER_STACK] __attribute__((aligned(4096)));

void trap_set_handler(unsigned vector, trap_handler *handler)
{
    handlers[vector] = handler;
}

void trap_gate(unsigned vector, unsigned dpl, bool present)
{
    uint64_t stub = (uint64_t)trap_stubs + vector * STUB_BYTES;

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)stub, .selector = KERNEL_CS, .ist = vector == X86_EXC_DF || vector == X86_EXC_NMI ? IST : 0,
        .type = (uint8_t)((present ? 0x80 : 0) | dpl << 5 | 0xe), .offset_middle = (uint16_t)(stub >> 16),
        .offset_high = (uint32_t)(stub >> 32),
    };
}

void *trap_gate_address(unsigned vector)
{
    return &idt[vector];
}

static void load_gdt(struct percpu *cpu)
{
    enum { TSS_BYTES = 104, AVAILABLE_TSS = 0x89 };
    uint64_t tss = (uint64_t)cpu->tss, stack = (uint64_t)cpu;
    struct table_pointer pointer = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };

    memset(cpu->tss, 0, sizeof(cpu->tss));
    memcpy((char *)cpu->tss + 4, &(uint64_t){ stack + TRAP_STACK_END }, 8);         /* rsp0 */
    memcpy((char *)cpu->tss + 36, &(uint64_t){ stack + IST_STACK_END }, 8);         /* ist1 */
    cpu->tss[25] = TSS_BYTES << 16;                                                 /* no map of ports */
    memcpy(cpu->gdt, boot_gdt, (size_t)(boot_gdt_end - boot_gdt));
    cpu->gdt[TSS_SELECTOR / 8] = (TSS_BYTES - 1) | (tss & 0xffffff) << 16 | (uint64_t)AVAILABLE_TSS << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
    __asm__ volatile("lgdt %0" : : "m"(pointer));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

void traps_init(void)
{
    struct table_pointer pointer = { sizeof(idt) - 1, (uint64_t)idt };

    for (unsigned i = 0; i < 256 && !idt[255].type; i++)
        trap_gate(i, i == X86_EXC_BP || i == X86_EXC_OF || (i >= 0x80 && i < 0x82) ? 3 : 0, true);
    load_gdt(this_cpu());
    __asm__ volatile("lidt %0" : : "m"(pointer));
    wrmsr(MSR_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)USER_CS32 << 48);
    wrmsr(MSR_LSTAR, (uint64_t)trap_syscall);
    wrmsr(MSR_CSTAR, (uint64_t)trap_syscall);
    wrmsr(MSR_SYSCALL_MASK, X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_DF);
}

void trap_entry(struct regs *regs)
{
    struct percpu *cpu = this_cpu();

    if (regs->vector < HANDLERS && handlers[regs->vector] && handlers[regs->vector](regs))
        return;
    if (regs->vector == TRAP_SYSCALL && cpu->in_user && regs->ax == USER_EXIT) {
        cpu->user_result = regs->di;
        context_restore(&cpu->user_exit, 1);
    }
    if (regs->vector >= 32 && regs->vector < 256 && apic_interrupt((unsigned)regs->vector))
        return;
    if (!fault_expected(regs))
        fault_unexpected(regs);
}

unsigned long user_call(unsigned long (*fn)(unsigned long), unsigned long arg)
{
    struct percpu *cpu = this_cpu();
    struct context *outer = cpu->recover;
    unsigned long flags = x86_flags();

    cpu->user_result = 0;
    syscall_stack = (unsigned long)cpu + TRAP_STACK_END;
    if (context_save(&cpu->user_exit) == 0) {
        unsigned long *top = (unsigned long *)(user_stack + USER_STACK) - 1;

        *top = (unsigned long)user_return;
        cpu->recover = &cpu->user_exit;
        WRITE_ONCE(cpu->in_user, true);
        user_enter((unsigned long)fn, (unsigned long)top, arg, X86_EFLAGS_IF);
    }
    cpu->in_user = false;
    cpu->recover = outer;
    x86_set_flags(flags);
    return cpu->user_result;
}
