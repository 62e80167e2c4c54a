/* @title  events as an interrupt
 * @fact   a pending event raises the event channel's PPI, which stays up until the guest clears vcpu_info's pending byte; with
 *         interrupts masked it waits, and ends WFI
 * @source xen/arch/arm/domain.c (vcpu_mark_events_pending), xen/include/public/hvm/params.h (CALLBACK_IRQ)
 * @env    arm64 arm32
 */
#include <guest.h>

static unsigned handled;

static void on_event(uint32_t port)
{
    (void)port;
    handled++;
}

void test_main(void)
{
    long port = event_bind_ipi(0);
    uint64_t callback = 0;

    require_eq(hvm_get_param(HVM_PARAM_CALLBACK_IRQ, &callback), 0);
    check_eq(callback >> 56, HVM_PARAM_CALLBACK_TYPE_PPI);
    check_eq(callback & 0xff, GUEST_EVTCHN_PPI);
    check_eq(fdt_cell(guest_device_tree(), "/hypervisor", "interrupts", 0, 0), 1);
    check_eq(fdt_cell(guest_device_tree(), "/hypervisor", "interrupts", 1, 0), GUEST_EVTCHN_PPI - GIC_FIRST_PPI);

    require(port > 0);
    event_watch((uint32_t)port, on_event);
    check_eq(event_send((uint32_t)port), 0);
    check_eq(handled, 0);                               /* interrupts are masked */
    check_eq(guest_vcpu_info()->evtchn_upcall_pending, 1);
    check(*gic_bits(GICD_ISPENDR, GUEST_EVTCHN_PPI) & 1u << GUEST_EVTCHN_PPI);
    wait_for_interrupt();
    check_eq(handled, 1);
    check_eq(guest_vcpu_info()->evtchn_upcall_pending, 0);
    check(!(*gic_bits(GICD_ISPENDR, GUEST_EVTCHN_PPI) & 1u << GUEST_EVTCHN_PPI));

    irq_enable();
    check_eq(event_send((uint32_t)port), 0);
    arch_isb();
    check_eq(handled, 2);
    check_eq(hcall(sched_op, SCHEDOP_yield, 0), 0);
    check_eq(handled, 2);

    /* Disabled at the controller: nothing comes until it is let through. */
    gic_disable(GUEST_EVTCHN_PPI);
    check_eq(event_send((uint32_t)port), 0);
    check_eq(handled, 2);
    gic_enable(GUEST_EVTCHN_PPI);
    arch_isb();
    check_eq(handled, 3);
    irq_disable();

    /* SCHEDOP_block lets interrupts through, so the event that waits is taken behind it. */
    event_send((uint32_t)port);
    check_eq(handled, 3);
    check_eq(hcall(sched_op, SCHEDOP_block, 0), 0);
    arch_isb();
    check_eq(handled, 4);
    irq_disable();
}
