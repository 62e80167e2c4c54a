/* upcall.c (PV) - the mask of the vcpu keeps upcalls away. */
#include <guest.h>

void events_disable(void)
{
    WRITE_ONCE(guest_vcpu_info()->evtchn_upcall_mask, 1);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void events_enable(void)
{
    struct vcpu_info *v = guest_vcpu_info();

    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    WRITE_ONCE(v->evtchn_upcall_mask, 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    /* The hypervisor looks at the mask when it next runs: any hypercall makes it look now. */
    if (READ_ONCE(v->evtchn_upcall_pending))
        hcall(xen_version, 0, 0);
}
