/* @title  time
 * @fact   the cycle counter and system time only go forward and agree; the wall clock is plausible
 * @source xen/include/public/xen.h (vcpu_time_info, shared_info.wc_*); Intel SDM vol. 2B RDTSC
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32
 */
#include <guest.h>
#include <abi/version.h>

void test_main(void)
{
    uint64_t tsc = x86_rdtsc(), ns = clock_ns();

    for (unsigned i = 0; i < 2000; i++) {
        uint64_t tsc2 = x86_rdtsc(), ns2 = clock_ns();

        require(tsc2 > tsc);
        require(ns2 >= ns);
        tsc = tsc2;
        ns = ns2;
    }
    const struct vcpu_time_info *t = &guest_vcpu_info()->time;

    check_eq(t->version & 1, 0);
    check(t->tsc_to_system_mul != 0);

    /* Time passes while the vcpu waits. */
    uint64_t before = clock_ns();
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = before + 20000000 };
    long port = event_bind_virq(VIRQ_TIMER, 0);

    require(port > 0);
    event_watch((uint32_t)port, NULL);
    check_eq(hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once), 0);
    hcall(sched_op, SCHEDOP_block, 0);
    events_disable();
    check(clock_ns() >= before + 20000000);
    check(clock_ns() < before + 21000000);

    struct shared_info *s = guest_shared_info();
    check_eq(s->wc_version & 1, 0);
    check(s->wc_sec > 946684800u);            /* later than 2000-01-01 */
    check(s->wc_nsec < 1000000000u);

    /* A secondary copy of the time. */
    static struct vcpu_time_info copy __attribute__((aligned(64)));
    struct vcpu_register_time_memory_area area;

    memset(&area, 0, sizeof(area));
    set_xen_guest_handle(area.addr.h, &copy);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &area), 0);
    hcall(sched_op, SCHEDOP_yield, 0);
    check(copy.version != 0);
    uint64_t a = clock_ns(), b = clock_ns_from(&copy), c = clock_ns();
    check(a <= b + 2000 && b <= c + 2000);
#ifdef __x86_64__
    /* The hypervisor's, where it is in the guest's address space; else all addresses are the guest's own. */
    struct xen_platform_parameters place;

    check_eq(hcall(xen_version, XENVER_platform_parameters, &place), 0);
    set_xen_guest_handle(area.addr.h, (struct vcpu_time_info *)HYPERVISOR_VIRT_START);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &area), place.virt_start ? -XEN_EFAULT : 0);
    check_eq(s->wc_sec_hi, 0);
#else
    check_eq(s->arch.wc_sec_hi, 0);
#endif
}
