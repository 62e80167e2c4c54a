/* faults.c (ARM) - exceptions that a test expects. */
#include <guest.h>

static const struct {
    unsigned vector;
    const char *name;
} names[] = {
    { EC_UNKNOWN, "undefined" }, { EC_WFX, "wfx" }, { EC_CP15_32, "cp15" }, { EC_CP15_64, "cp15-64" }, { EC_FP, "fp" },
    { EC_ILLEGAL, "illegal state" }, { EC_SVC32, "svc32" }, { EC_SVC64, "svc64" }, { EC_SYSREG, "sysreg" },
    { EC_IABT_USER, "user instruction abort" }, { EC_IABT, "instruction abort" }, { EC_PC_ALIGN, "pc alignment" },
    { EC_DABT_USER, "user data abort" }, { EC_DABT, "data abort" }, { EC_SP_ALIGN, "sp alignment" },
    { EC_BREAKPOINT_USER, "user breakpoint" }, { EC_BREAKPOINT, "breakpoint" }, { EC_STEP_USER, "user step" },
    { EC_STEP, "step" }, { EC_WATCHPOINT_USER, "user watchpoint" }, { EC_WATCHPOINT, "watchpoint" },
    { EC_BKPT32, "bkpt" }, { EC_BRK64, "brk" }, { TRAP_IRQ, "irq" }, { TRAP_FIQ, "fiq" }, { TRAP_SERROR, "serror" },
};

const char *vector_name(unsigned vector)
{
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].vector == vector)
            return names[i].name;
    return "exception";
}

struct fault *fault_arm(void)
{
    struct fault *f = &this_cpu()->fault;

    memset(f, 0, sizeof(*f));
    return f;
}

bool fault_expected(struct regs *r)
{
    struct fault *f = &this_cpu()->fault;
    const struct extable_entry *e = extable_find((unsigned long)r->ip);

    *f = (struct fault){
        .count = f->count + 1, .vector = (unsigned)r->vector, .esr = (unsigned long)r->esr, .far = (unsigned long)r->far,
        .ip = (unsigned long)r->ip, .sp = (unsigned long)r->sp, .flags = (unsigned long)r->flags,
    };
    if (e) {
        r->ip = e->behind;
        return true;
    }
    fault_recover();
    return false;
}

void fault_unexpected(const struct regs *r)
{
    printf("unexpected %s[%lx] at %lx: far %lx spsr %lx sp %lx\n", vector_name((unsigned)r->vector),
           (unsigned long)r->esr, (unsigned long)r->ip, (unsigned long)r->far, (unsigned long)r->flags, (unsigned long)r->sp);
    arch_print_regs(r);
    fail("an exception that the test did not expect");
}
