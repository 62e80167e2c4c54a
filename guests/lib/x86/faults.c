/* faults.c - exceptions that a test expects. */
#include <guest.h>

static const char *const names[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS", "#NP", "#SS", "#GP", "#PF", "15",
    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
};

const char *vector_name(unsigned vector)
{
    return vector < 32 ? names[vector] : vector == TRAP_SYSCALL ? "syscall" : vector == TRAP_FAILSAFE ? "failsafe" : "int";
}

struct fault *fault_arm(void)
{
    struct fault *f = &this_cpu()->fault;

    memset(f, 0, sizeof(*f));
    return f;
}

static void record(struct fault *f, const struct regs *r)
{
    f->count++;
    f->vector = (unsigned)r->vector;
    f->error = r->error;
    if (r->vector == X86_EXC_PF)
        f->address = arch_fault_address();
    f->ip = r->ip;
    f->sp = r->sp;
    f->flags = r->flags;
    f->cs = r->cs;
    f->ss = (unsigned)(r->ss & 0xffff);
    f->upcall_mask = r->upcall_mask;
}

bool fault_expected(struct regs *r)
{
    struct percpu *cpu = this_cpu();

    record(&cpu->fault, r);
    const struct extable_entry *e = extable_find(r->ip);

    if (e) {
        cpu->fault.behind = r->ip == e->behind;
        r->ip = e->behind;
        return true;
    }
    fault_recover();
    return false;
}

void fault_unexpected(const struct regs *r)
{
    printf("unexpected %s[%lx] at %lx: cs %x flags %lx sp %lx cr2 %lx\n", vector_name((unsigned)r->vector), r->error, r->ip,
           (unsigned)r->cs, r->flags, r->sp, arch_fault_address());
    arch_print_regs(r);
    fail("an exception that the test did not expect");
}
