/* @title  timers
 * @fact   set_timer_op, single-shot and periodic timers raise VIRQ_TIMER when they are due, never before; the
 *         periodic timer ticks while its vcpu runs, and does not wake one that blocks
 * @source xen/include/public/vcpu.h, xen.h (set_timer_op, VIRQ_TIMER); xen/common/sched/core.c
 * @env    pv64 pv64low
 */
#include <guest.h>

static unsigned ticks;
static uint64_t last_tick;

static void on_timer(uint32_t port)
{
    (void)port;
    ticks++;
    last_tick = clock_ns();
}

static void wait_tick(unsigned count)
{
    while (ticks < count)
        hcall(sched_op, SCHEDOP_block, 0);
}

void test_main(void)
{
    enum { MS = 1000000 };
    struct vcpu_set_singleshot_timer once = { .flags = 0 };
    struct vcpu_set_periodic_timer periodic;
    long port = event_bind_virq(VIRQ_TIMER, 0);
    uint64_t start;

    require(port > 0);
    event_watch((uint32_t)port, on_timer);

    start = clock_ns();
    check_eq(hcall(set_timer_op, start + 3 * MS), 0);
    check_eq(ticks, 0);
    wait_tick(1);
    check(last_tick >= start + 3 * MS);
    check(last_tick < start + 4 * MS);

    start = clock_ns();
    once.timeout_abs_ns = start + 2 * MS;
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), 0);
    wait_tick(2);
    check(last_tick >= once.timeout_abs_ns);

    /* While the guest computes: the upcall interrupts it. */
    events_enable();
    start = clock_ns();
    once.timeout_abs_ns = start + 1 * MS;
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), 0);
    while (READ_ONCE(ticks) < 3 && clock_ns() < start + 5 * MS)
        ;
    check_eq(ticks, 3);
    check(last_tick >= once.timeout_abs_ns);
    check(last_tick < once.timeout_abs_ns + MS / 10);

    /* A time that has passed. */
    once.timeout_abs_ns = start;
    once.flags = VCPU_SSHOTTMR_future;
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), -XEN_ETIME);
    once.flags = 0;
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), 0);
    wait_tick(4);

    /* Stopped: nothing comes. */
    once.timeout_abs_ns = clock_ns() + MS;
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), 0);
    check_eq(hcall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), 0);
    clock_spin(2 * MS);
    check_eq(ticks, 4);

    periodic.period_ns = 100;
    check_eq(hcall(vcpu_op, VCPUOP_set_periodic_timer, 0, &periodic), -XEN_EINVAL);
    periodic.period_ns = 2 * MS;
    start = clock_ns();
    check_eq(hcall(vcpu_op, VCPUOP_set_periodic_timer, 0, &periodic), 0);
    while (READ_ONCE(ticks) < 9 && clock_ns() < start + 20 * MS)
        ;
    check_eq(ticks, 9);
    check(last_tick >= start + 8 * MS);
    check(last_tick <= start + 13 * MS);
    once.timeout_abs_ns = clock_ns() + 50 * MS;
    events_disable();
    ticks = 0;
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), 0);
    wait_tick(1);
    check(last_tick >= once.timeout_abs_ns);
    events_enable();
    check_eq(hcall(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0), 0);
    unsigned at = ticks;
    clock_spin(5 * MS);
    check(ticks - at <= 1);
    events_disable();
}
