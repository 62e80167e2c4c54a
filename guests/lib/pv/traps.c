/* traps.c (PV) - trap table, callbacks and user mode. */
#include <guest.h>
#include <abi/callback.h>

struct trap_stub {
    unsigned long vector, address;
};
extern const struct trap_stub trap_stubs_start[], trap_stubs_end[];

enum { MAX_STUBS = 32 };
static struct trap_info table[MAX_STUBS + 1];

const struct trap_info *traps_table(void)
{
    if (table[0].address)
        return table;
    unsigned n = 0;

    for (const struct trap_stub *s = trap_stubs_start; s < trap_stubs_end; s++, n++) {
        bool software = s->vector == X86_EXC_BP || s->vector == X86_EXC_OF || s->vector >= 32;

        table[n].vector = (uint8_t)s->vector;
        table[n].flags = software && s->vector != TRAP_INT82 ? 3 : 0;
        table[n].cs = FLAT_KERNEL_CS;
        table[n].address = s->address;
    }
    return table;
}

long trap_register(unsigned vector, unsigned flags)
{
    struct trap_info one[2];

    memset(one, 0, sizeof(one));
    for (const struct trap_info *t = traps_table(); t->address; t++)
        if (t->vector == vector)
            one[0] = *t;
    one[0].flags = (uint8_t)flags;
    return hcall(set_trap_table, one);
}

static void callback(unsigned type, unsigned flags, void (*entry)(void))
{
    struct callback_register op = { .type = (uint16_t)type, .flags = (uint16_t)flags };

    op.address = (xen_callback_t)(unsigned long)entry;
    if (hcall(callback_op, CALLBACKOP_register, &op))
        broken("callback %u was not registered", type);
}

void traps_init(void)
{
    if (hcall(set_trap_table, traps_table()))
        broken("set_trap_table failed");
    callback(CALLBACKTYPE_event, 0, trap_event);
    callback(CALLBACKTYPE_failsafe, CALLBACKF_mask_events, trap_failsafe);
    callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, trap_syscall);
    if (hcall(stack_switch, FLAT_KERNEL_SS, (unsigned long)this_cpu() + TRAP_STACK_END))
        broken("stack_switch failed");
}

bool arch_interrupt(struct regs *regs)
{
    return false;               /* events come by their callback */
}

unsigned long arch_user_begin(void)
{
    struct percpu *cpu = this_cpu();

    if (!cpu->arch.user_table_set) {
        cpu->arch.user_table_set = true;
        if (pt_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(pt_root())))
            broken("MMUEXT_NEW_USER_BASEPTR failed");
    }
    return guest_vcpu_info()->evtchn_upcall_mask;
}

void arch_user_end(unsigned long kept_away)
{
    WRITE_ONCE(guest_vcpu_info()->evtchn_upcall_mask, (uint8_t)kept_away);
}
