/* @title  callbacks and stacks
 * @fact   set_callbacks, callback_op and stack_switch accept what can be used and refuse what cannot
 * @source xen/include/public/callback.h, xen.h; xen/arch/x86/pv/callback.c
 * @env    pv64
 */
#include <guest.h>
#include <abi/callback.h>

static unsigned handled;

static void on_event(uint32_t port)
{
    (void)port;
    handled++;
}

void test_main(void)
{
    unsigned long bad = 0x0000800000000000;
    struct callback_register op = { .type = CALLBACKTYPE_event, .address = bad };
    long port = event_bind_ipi(0);

    require(port > 0);
    event_watch((uint32_t)port, on_event);

    check_eq(hcall(callback_op, CALLBACKOP_register, &op), -XEN_EINVAL);
    op.type = 99;
    op.address = (unsigned long)trap_event;
    check(hcall(callback_op, CALLBACKOP_register, &op) < 0);
    check_eq(hcall(callback_op, 7, &op), -XEN_ENOSYS);
    check_eq(hcall(callback_op, CALLBACKOP_register, 0x1000), -XEN_EFAULT);

    /* The older call. */
    check_eq(hcall(set_callbacks, trap_event, trap_failsafe, trap_syscall), 0);
    events_enable();
    event_send((uint32_t)port);
    check_eq(handled, 1);
    events_disable();
    /* A bad address is ignored, as Xen ignores it: the callback stays. */
    check_eq(hcall(set_callbacks, bad, trap_failsafe, trap_syscall), 0);
    events_enable();
    event_send((uint32_t)port);
    check_eq(handled, 2);
    events_disable();

    /* A trap table with an address that is none is refused. */
    struct trap_info traps[2];

    memset(traps, 0, sizeof(traps));
    traps[0].vector = 3;
    traps[0].cs = FLAT_KERNEL_CS;
    traps[0].address = bad;
    check_eq(hcall(set_trap_table, traps), -XEN_EINVAL);
    check_eq(hcall(set_trap_table, 0x1000), -XEN_EFAULT);
    struct fault *f = fault_arm();
    __asm__ volatile(FAULTING("int3"));
    check_fault(f, X86_EXC_BP, 0);
}
