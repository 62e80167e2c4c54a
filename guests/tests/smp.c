/* @title  vcpus
 * @fact   VCPUOP_initialise, up and down bring vcpus up and take them down; IPIs by event channel reach the right one;
 *         memory is shared
 * @source xen/include/public/vcpu.h
 * @env    pv64 pv64low
 * @vcpus  4
 */
#include <guest.h>

enum { CPUS = 4 };
static volatile unsigned alive[CPUS], seen[CPUS], stop;
static unsigned counter;
static uint32_t ipi[CPUS];

static void on_ipi(uint32_t port)
{
    (void)port;
    seen[this_cpu()->id]++;
}

static void secondary(void *arg)
{
    unsigned id = this_cpu()->id;

    check(arg == (void *)(unsigned long)id);
    alive[id] = 1;
    for (unsigned i = 0; i < 1000; i++)
        __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
    while (!stop)
        hcall(sched_op, SCHEDOP_block, 0);
    events_disable();
    alive[id] = 2;
}

void test_main(void)
{
    static struct vcpu_guest_context context;

    check_eq(hcall(vcpu_op, VCPUOP_is_up, 0, 0), 1);
    check_eq(hcall(vcpu_op, VCPUOP_is_up, 1, 0), 0);
    check_eq(hcall(vcpu_op, VCPUOP_up, 1, 0), -XEN_EINVAL);              /* not initialised */
    check_eq(hcall(vcpu_op, VCPUOP_initialise, CPUS, &context), -XEN_ENOENT);
    vcpu_context(&context, 1, secondary, NULL);
    context.ctrlreg[3] = ~0UL;
    check(hcall(vcpu_op, VCPUOP_initialise, 1, &context) < 0);
    check_eq(hcall(vcpu_op, VCPUOP_initialise, 1, BAD_POINTER), -XEN_EFAULT);

    for (unsigned i = 1; i < CPUS; i++) {
        long port = event_bind_ipi(i);

        require(port > 0);
        ipi[i] = (uint32_t)port;
        event_watch(ipi[i], on_ipi);
        require_eq(vcpu_start(i, secondary, (void *)(unsigned long)i), 0);
        check_eq(hcall(vcpu_op, VCPUOP_is_up, i, 0), 1);
        check_eq(hcall(vcpu_op, VCPUOP_initialise, i, &context), -XEN_EEXIST);
    }
    for (unsigned i = 1; i < CPUS; i++)
        require(wait_while(&alive[i], 0, 100000));
    for (unsigned n = 0; counter != 1000 * (CPUS - 1) && n < 100000; n++)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(counter, 1000 * (CPUS - 1));

    /* An IPI to each, and to no other. */
    for (unsigned i = 1; i < CPUS; i++) {
        unsigned before = seen[i];

        check_eq(event_send(ipi[i]), 0);
        check(wait_while(&seen[i], before, 100000));
    }
    for (unsigned i = 1; i < CPUS; i++)
        check_eq(seen[i], 1);

    /* Down: each takes itself down. */
    stop = 1;
    for (unsigned i = 1; i < CPUS; i++) {
        event_send(ipi[i]);
        check(wait_while(&alive[i], 1, 100000));
        for (unsigned n = 0; hcall(vcpu_op, VCPUOP_is_up, i, 0) && n < 100000; n++)
            hcall(sched_op, SCHEDOP_yield, 0);
        check_eq(hcall(vcpu_op, VCPUOP_is_up, i, 0), 0);
    }

    /* Runstate of a vcpu that is down. */
    struct vcpu_runstate_info r;
    check_eq(hcall(vcpu_op, VCPUOP_get_runstate_info, 2, &r), 0);
    check_eq(r.state, RUNSTATE_offline);
}
