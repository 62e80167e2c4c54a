/* probe.c - where execution goes on after an exception that a test expects. */
#include <guest.h>

extern const struct extable_entry extable_start[], extable_end[];

const struct extable_entry *extable_find(unsigned long ip)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++)
        if (ip == e->fault || ip == e->behind)
            return e;
    return NULL;
}

bool fault_probe(void (*fn)(void *), void *arg)
{
    struct percpu *cpu = this_cpu();
    struct context context, *outer = cpu->recover;
    bool back = false;

    if (context_save(&context) == 0) {
        WRITE_ONCE(cpu->recover, &context);
        fn(arg);
        back = true;
    }
    WRITE_ONCE(cpu->recover, outer);
    return back;
}

void fault_recover(void)
{
    if (this_cpu()->recover)
        context_restore(this_cpu()->recover, 1);
}
