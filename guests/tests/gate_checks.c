/* @title  gates that refuse
 * @fact   INT n through a gate that is beyond the table, of no known type, closed to its ring or absent is #GP or #NP with the
 *         gate's number, in this order; for an exception or an interrupt the error code has the EXT bit
 * @source Intel SDM vol. 3A 6.12.1.2, 6.13, vol. 2A INT n (operation)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { N = 0x90, IPI = 0x91, EXT = 1 };

static unsigned long user_int(unsigned long x) { __asm__ volatile("int %0" : : "i"(N) : "memory"); return x; }

static void refused(unsigned vector, unsigned long error, const char *what)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    if (f->count != 1 || f->vector != vector || f->error != error || f->behind)
        fail(what);
}

static void user_refused(unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();

    user_call(user_int, 0);
    check_fault(f, vector, error);
    check_eq(f->cs, USER_CS);
    check_eq(*(uint8_t *)f->ip, 0xcd);
}

static unsigned np_count;
static unsigned long np_error;

static bool on_np(struct regs *r)
{
    np_count++;
    np_error = r->error;
    trap_gate(IPI, 0, true);
    lapic_write(LAPIC_EOI, 0);
    return true;
}

void test_main(void)
{
    struct gate *gate = trap_gate_address(N), *ud = trap_gate_address(X86_EXC_UD);
    struct table_pointer table, shorter;
    struct fault *f;

    __asm__ volatile("sidt %0" : "=m"(table));
    shorter = table;
    shorter.limit = (uint16_t)(N * sizeof(struct gate) + 6);
    __asm__ volatile("lidt %0" : : "m"(shorter));
    refused(X86_EXC_GP, EC_GATE(N), "beyond the table");
    shorter.limit = (uint16_t)((N + 1) * sizeof(struct gate) - 1);
    __asm__ volatile("lidt %0" : : "m"(shorter));
    f = fault_arm();
    __asm__ volatile(FAULTING("int %0") : : "i"(N) : "memory");
    check_fault(f, N, 0);
    __asm__ volatile("lidt %0" : : "m"(table));

    trap_gate(N, 3, true);
    uint8_t type = gate->type;
    static const uint8_t bad[] = { 0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 0x1e };
    for (unsigned i = 0; i < sizeof(bad); i++) {
        gate->type = (uint8_t)((type & 0xe0) | bad[i]);
        refused(X86_EXC_GP, EC_GATE(N), "a type that is none");
        gate->type &= 0x7f;
        refused(X86_EXC_GP, EC_GATE(N), "a type that is none, absent");
    }
    trap_gate(N, 3, false);
    refused(X86_EXC_NP, EC_GATE(N), "absent");
    user_refused(X86_EXC_NP, EC_GATE(N));
    trap_gate(N, 0, false);
    refused(X86_EXC_NP, EC_GATE(N), "absent");
    user_refused(X86_EXC_GP, EC_GATE(N));
    trap_gate(N, 0, true);
    user_refused(X86_EXC_GP, EC_GATE(N));
    trap_gate(N, 2, true);
    user_refused(X86_EXC_GP, EC_GATE(N));

    /* Of an exception the gate's DPL does not matter, and the error code says that it was no INT. */
    uint8_t ud_type = ud->type;
    ud->type &= 0x7f;
    f = fault_arm();
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, X86_EXC_NP, EC_GATE(X86_EXC_UD) | EXT);
    check(!f->behind);
    ud->type = 0x80;
    f = fault_arm();
    __asm__ volatile(FAULTING("ud2"));
    check_fault(f, X86_EXC_GP, EC_GATE(X86_EXC_UD) | EXT);
    ud->type = ud_type;

    trap_set_handler(X86_EXC_NP, on_np);
    trap_gate(IPI, 0, false);
    irq_enable();
    apic_send(0, ICR_SELF | IPI);
    for (unsigned turns = 0; turns < 1000 && !READ_ONCE(np_count); turns++)
        __asm__ volatile("pause");
    irq_disable();
    check_eq(np_count, 1);
    check_eq(np_error, EC_GATE(IPI) | EXT);
}
