/* @title  four processors
 * @fact   PSCI starts processors with the MMU off and their context; memory is shared and atomic; SGIs and event channels reach
 *         the one that they are for, and no other
 * @source Arm DEN 0022; Arm IHI 0048, 3.2; xen/include/public/vcpu.h (VCPUOP_register_vcpu_info)
 * @env    arm64 arm32
 * @vcpus  4
 */
#include <guest.h>

enum { CPUS = 4, ADDS = 500, SGI = 3 };
static volatile unsigned alive[CPUS], sgis[CPUS], events[CPUS], stop;
static unsigned counter;
static uint32_t port[CPUS];

static void on_sgi(unsigned number)
{
    check_eq(number, SGI);
    sgis[this_cpu()->id]++;
}

static void on_event(uint32_t from)
{
    check_eq(from, port[this_cpu()->id]);
    events[this_cpu()->id]++;
}

static void secondary(void *arg)
{
    unsigned id = this_cpu()->id;

    check(arg == (void *)(unsigned long)(id * 3));
    gic_enable(SGI);
    alive[id] = 1;
    for (unsigned i = 0; i < ADDS; i++)
        __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
    irq_enable();
    while (!stop)
        hcall(sched_op, SCHEDOP_yield, 0);
    irq_disable();
    alive[id] = 2;
}

void test_main(void)
{
    interrupt_watch(SGI, on_sgi);
    gic_enable(SGI);
    for (unsigned i = 1; i < CPUS; i++) {
        long bound = event_bind_ipi(i);

        require(bound > 0);
        port[i] = (uint32_t)bound;
        event_watch(port[i], on_event);
        require_eq(vcpu_start(i, secondary, (void *)(unsigned long)(i * 3)), 0);
    }
    for (unsigned i = 1; i < CPUS; i++)
        require(wait_while(&alive[i], 0, 10000));
    for (unsigned n = 0; READ_ONCE(counter) != ADDS * (CPUS - 1) && n < 10000; n++)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(counter, ADDS * (CPUS - 1));

    for (unsigned i = 1; i < CPUS; i++) {
        gic_send(SGI, 1u << i);
        check(wait_while(&sgis[i], 0, 10000));
        check_eq(event_send(port[i]), 0);
        check(wait_while(&events[i], 0, 10000));
    }
    gic_send(SGI, 0xe);                                 /* several at once */
    for (unsigned i = 1; i < CPUS; i++)
        check(wait_while(&sgis[i], 1, 10000));
    for (unsigned i = 1; i < CPUS; i++) {
        check_eq(sgis[i], 2);
        check_eq(events[i], 1);
    }
    check_eq(sgis[0], 0);
    gic_send(SGI, 1);                                   /* to itself */
    irq_enable();
    check(wait_while(&sgis[0], 0, 100));
    irq_disable();
    stop = 1;
    for (unsigned i = 1; i < CPUS; i++)
        check(wait_while(&alive[i], 1, 10000));
}
