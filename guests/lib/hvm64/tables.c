/* tables.c (hvm64) - descriptor tables and SYSCALL. Facts: Intel SDM volume 3, 6.14 and 7.7. */
#include <guest.h>
#include <descriptors.h>

enum { IST = 1 };
extern uint64_t syscall_stack;
void trap_syscall(void);

struct gate gate_to(const void *code, unsigned selector, uint8_t type)
{
    uint64_t offset = (uint64_t)code;

    return (struct gate){
        .offset_low = (uint16_t)offset, .selector = (uint16_t)selector, .type = type, .offset_middle = (uint16_t)(offset >> 16),
        .offset_high = (uint32_t)(offset >> 32),
    };
}

struct gate gate_make(unsigned vector, uint8_t type)
{
    struct gate gate = gate_to(trap_stubs + vector * STUB_BYTES, KERNEL_CS, type);

    gate.ist = vector == X86_EXC_DF || vector == X86_EXC_NMI ? IST : 0;
    return gate;
}

void tables_load(struct percpu *cpu)
{
    enum { TSS_BYTES = 104 };
    uint64_t tss = (uint64_t)cpu->arch.tss, stack = (uint64_t)cpu;

    memset(cpu->arch.tss, 0, sizeof(cpu->arch.tss));
    memcpy((char *)cpu->arch.tss + 4, &(uint64_t){ stack + TRAP_STACK_END }, 8);         /* rsp0 */
    memcpy((char *)cpu->arch.tss + 36, &(uint64_t){ stack + IST_STACK_END }, 8);         /* ist1 */
    cpu->arch.tss[25] = TSS_BYTES << 16;                                                 /* no map of ports */
    memcpy(cpu->arch.gdt, boot_gdt, (size_t)(boot_gdt_end - boot_gdt));
    cpu->arch.gdt[TSS_SELECTOR / 8] = descriptor((uint32_t)tss, TSS_BYTES - 1, DESC_TSS, 0);
    cpu->arch.gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
    descriptors_load(cpu);
    wrmsr(MSR_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)USER_CS32 << 48);
    wrmsr(MSR_LSTAR, (uint64_t)trap_syscall);
    wrmsr(MSR_CSTAR, (uint64_t)trap_syscall);
    wrmsr(MSR_SYSCALL_MASK, X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_DF);
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
