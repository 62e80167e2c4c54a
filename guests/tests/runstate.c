/* @title  run states
 * @fact   the times of a vcpu's run states add up to system time, in the answer of the hypercall and in the area that
 *         the guest registers
 * @source xen/include/public/vcpu.h (vcpu_runstate_info)
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32
 */
#include <guest.h>

static struct vcpu_runstate_info area;

static uint64_t sum(const struct vcpu_runstate_info *r)
{
    return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

void test_main(void)
{
    struct vcpu_runstate_info a, b;
    struct vcpu_register_runstate_memory_area op;
    long port = event_bind_ipi(0);

    require(port > 0);
    event_mask((uint32_t)port);
    memset(&op, 0, sizeof(op));
    require_eq(hcall(vcpu_op, VCPUOP_get_runstate_info, 0, &a), 0);
    check_eq(a.state, RUNSTATE_running);
    uint64_t before = clock_ns();
    event_poll((uint32_t)port, before + 7000000);
    uint64_t after = clock_ns();
    require_eq(hcall(vcpu_op, VCPUOP_get_runstate_info, 0, &b), 0);
    check(b.time[RUNSTATE_blocked] - a.time[RUNSTATE_blocked] >= 6900000);
    check(b.time[RUNSTATE_running] > a.time[RUNSTATE_running]);
    check(sum(&b) - sum(&a) >= after - before);
    check(b.state_entry_time > a.state_entry_time);

    set_xen_guest_handle(op.addr.h, &area);
    check_eq(hcall(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &op), 0);
    check_eq(area.state, RUNSTATE_running);
    check(sum(&area) >= sum(&b));
    a = area;
    event_poll((uint32_t)port, clock_ns() + 3000000);
    check_eq(area.state, RUNSTATE_running);
    check(area.time[RUNSTATE_blocked] - a.time[RUNSTATE_blocked] >= 2900000);
    check(!(area.state_entry_time & XEN_RUNSTATE_UPDATE));
    check_eq(hcall(vcpu_op, VCPUOP_get_runstate_info, 3, &a), -XEN_ENOENT);
    check_eq(hcall(vcpu_op, VCPUOP_get_runstate_info, 0, BAD_POINTER), -XEN_EFAULT);
}
