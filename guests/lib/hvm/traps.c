/* traps.c (HVM) - descriptor tables, exceptions, user mode. Facts: Intel SDM volume 3, 6.14 and 7.7. */
#include <guest.h>

enum { IST = 1, STUB_BYTES = 16 };
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

static struct gate idt[256] __attribute__((aligned(16)));

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
    uint64_t tss = (uint64_t)cpu->arch.tss, stack = (uint64_t)cpu;
    struct table_pointer pointer = { sizeof(cpu->arch.gdt) - 1, (uint64_t)cpu->arch.gdt };

    memset(cpu->arch.tss, 0, sizeof(cpu->arch.tss));
    memcpy((char *)cpu->arch.tss + 4, &(uint64_t){ stack + TRAP_STACK_END }, 8);         /* rsp0 */
    memcpy((char *)cpu->arch.tss + 36, &(uint64_t){ stack + IST_STACK_END }, 8);         /* ist1 */
    cpu->arch.tss[25] = TSS_BYTES << 16;                                                 /* no map of ports */
    memcpy(cpu->arch.gdt, boot_gdt, (size_t)(boot_gdt_end - boot_gdt));
    cpu->arch.gdt[TSS_SELECTOR / 8] = (TSS_BYTES - 1) | (tss & 0xffffff) << 16 | (uint64_t)AVAILABLE_TSS << 40 | (tss >> 24 & 0xff) << 56;
    cpu->arch.gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
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

bool arch_interrupt(struct regs *regs)
{
    return regs->vector >= 32 && regs->vector < 256 && apic_interrupt((unsigned)regs->vector);
}

/* One processor at a time: entry.S knows one stack for SYSCALL. */
unsigned long arch_user_begin(void)
{
    syscall_stack = (unsigned long)this_cpu() + TRAP_STACK_END;
    return x86_flags();
}

void arch_user_end(unsigned long kept_away)
{
    x86_set_flags(kept_away);
}
