/* @title  failsafe callback
 * @fact   an iret hypercall to a selector that cannot be loaded ends in the failsafe callback, whose frame holds
 *         ds, es, fs and gs above rcx and r11
 * @source xen/include/public/callback.h, arch-x86/xen.h; xen/arch/x86/x86_64/entry.S (failsafe_callback)
 * @env    pv64
 */
#include <guest.h>

static void bad_return(void *arg)
{
    struct regs r;

    memset(&r, 0, sizeof(r));
    r.ip = (uint64_t)bad_return;
    r.cs = (uint16_t)(unsigned long)arg;
    r.flags = X86_EFLAGS_IF;
    r.sp = (uint64_t)&r;
    r.ss = FLAT_KERNEL_SS;
    frame_return(&r);
}

void test_main(void)
{
    struct fault *f = fault_arm();

    __asm__ volatile("mov %0, %%ds\n\tmov %1, %%fs" : : "r"(FLAT_RING3_DS32), "r"(0));
    check(!fault_probe(bad_return, (void *)0x10UL));
    check_eq(f->count, 1);
    check_eq(f->vector, TRAP_FAILSAFE);
    check_eq(f->ip, (unsigned long)bad_return);
    check_eq(f->cs & ~3u, 0x10);
    check_eq(failsafe_selectors[0] & 0xffff, FLAT_RING3_DS32);
    check_eq(failsafe_selectors[2] & 0xffff, 0);
    __asm__ volatile("mov %0, %%ds" : : "r"(0));

    /* The callback was registered with mask_events. */
    check_eq(guest_vcpu_info()->evtchn_upcall_mask, 1);
}
