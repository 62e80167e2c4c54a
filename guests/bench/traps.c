/* @title  trap storm
 * @fact   (benchmark) n times each: a hypercall, an emulated instruction, a fault with fix-up, an event to itself
 * @source xen/include/public/xen.h
 * @env    pv64
 */
#include <guest.h>
#include <faults.h>
#include <abi/version.h>

void test_main(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};

    require_eq(hcall(event_channel_op, EVTCHNOP_bind_ipi, &bind), 0);
    for (uint64_t n = guest_option("n", 1000); n > 0; n--) {
        struct evtchn_send send = {.port = bind.port};
        unsigned long value;

        hcall(xen_version, XENVER_version, 0);
        __asm__ volatile("mov %%cr0, %0" : "=r"(value));
        fault_arm();
        __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(0x1000UL) : "rax", "memory");
        require_eq(hcall(event_channel_op, EVTCHNOP_send, &send), 0);
    }
}
