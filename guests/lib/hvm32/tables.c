/* tables.c (hvm32) - descriptor tables. Facts: Intel SDM volume 3, 6.11 and 7.2. */
#include <guest.h>
#include <descriptors.h>

struct gate gate_to(const void *code, unsigned selector, uint8_t type)
{
    uint32_t offset = (uint32_t)code;

    return (struct gate){
        .offset_low = (uint16_t)offset, .selector = (uint16_t)selector, .type = type, .offset_high = (uint16_t)(offset >> 16),
    };
}

struct gate gate_make(unsigned vector, uint8_t type)
{
    return gate_to(trap_stubs + vector * STUB_BYTES, KERNEL_CS, type);
}

void tables_load(struct percpu *cpu)
{
    enum { TSS_BYTES = 104 };

    memset(cpu->arch.tss, 0, sizeof(cpu->arch.tss));
    cpu->arch.tss[1] = (uint32_t)cpu + TRAP_STACK_END;                                   /* esp0, ss0 */
    cpu->arch.tss[2] = KERNEL_SS;
    cpu->arch.tss[25] = TSS_BYTES << 16;                                                 /* no map of ports */
    memcpy(cpu->arch.gdt, boot_gdt, (size_t)(boot_gdt_end - boot_gdt));
    cpu->arch.gdt[TSS_SELECTOR / 8] = descriptor((uint32_t)cpu->arch.tss, TSS_BYTES - 1, DESC_TSS, 0);
    descriptors_load(cpu);
}

unsigned long arch_user_begin(void)
{
    return x86_flags();
}

void arch_user_end(unsigned long kept_away)
{
    x86_set_flags(kept_away);
}
