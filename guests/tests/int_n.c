/* @title  INT n
 * @fact   INT n enters a trap-table entry whose DPL allows it; otherwise it is #GP(n * 8 + 2) at the instruction
 * @source xen/include/public/arch-x86/xen.h (trap_info), xen/arch/x86/pv/traps.c; Intel SDM vol. 3A 6.12.1.1
 * @env    pv64
 */
#include <guest.h>

static unsigned seen[256], last_cs, mask_inside;
static unsigned long last_ip;

static bool on_software(struct regs *regs)
{
    seen[regs->vector]++;
    last_cs = regs->cs;
    last_ip = regs->ip;
    mask_inside = guest_vcpu_info()->evtchn_upcall_mask;
    return true;
}

static unsigned long user_int(unsigned long vector)
{
    if (vector == TRAP_INT80)
        __asm__ volatile("int $0x80" : : : "memory");
    else
        __asm__ volatile("int $0x81" : : : "memory");
    return 55;
}

void test_main(void)
{
    struct fault *f = fault_arm();

    trap_set_handler(TRAP_INT80, on_software);
    trap_set_handler(TRAP_INT81, on_software);
    trap_set_handler(TRAP_INT82, on_software);

    /* DPL 3, from the guest kernel. */
    __asm__ volatile("int $0x80\n\tint $0x81" : : : "memory");
    check_eq(seen[0x80], 1);
    check_eq(seen[0x81], 1);
    check_eq(last_cs & 3, 0);

    /* DPL 0 is for nobody; a vector without an entry neither. */
    __asm__ volatile(FAULTING("int $0x82") : : : "memory");
    check_fault(f, X86_EXC_GP, EC_GATE(0x82));
    check(!f->behind);
    f = fault_arm();
    __asm__ volatile(FAULTING("int $0x90") : : : "memory");
    check_fault(f, X86_EXC_GP, EC_GATE(0x90));
    f = fault_arm();
    __asm__ volatile(FAULTING("int $13") : : : "memory");
    check_fault(f, X86_EXC_GP, EC_GATE(13));
    f = fault_arm();
    __asm__ volatile(FAULTING("int $255") : : : "memory");
    check_fault(f, X86_EXC_GP, EC_GATE(255));

    /* DPL 1 and more: the guest kernel may. */
    check_eq(trap_register(TRAP_INT82, 1), 0);
    __asm__ volatile("int $0x82" : : : "memory");
    check_eq(seen[0x82], 1);
    check_eq(mask_inside, guest_vcpu_info()->evtchn_upcall_mask);

    /* The entry may mask events. */
    events_enable();
    check_eq(trap_register(TRAP_INT82, 1 | 4), 0);
    __asm__ volatile("int $0x82" : : : "memory");
    check_eq(seen[0x82], 2);
    check_eq(mask_inside, 1);
    check_eq(guest_vcpu_info()->evtchn_upcall_mask, 0);
    events_disable();

    /* From user mode: DPL 3 only. */
    f = fault_arm();
    check_eq(user_call(user_int, TRAP_INT81), 55);
    check_eq(seen[0x81], 2);
    check_eq(last_cs & 3, 3);
    check_eq(user_call(user_int, TRAP_INT80), 55);
    check_eq(seen[0x80], 2);
    check_eq(trap_register(TRAP_INT81, 1), 0);
    user_call(user_int, TRAP_INT81);
    check_fault(f, X86_EXC_GP, EC_GATE(0x81));
    check_eq(f->cs & 3, 3);
}
