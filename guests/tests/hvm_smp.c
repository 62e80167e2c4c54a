/* @title  processors started by INIT and SIPI
 * @fact   each runs code of the guest's on its own stack, and inter-processor interrupts reach it
 * @source Intel SDM volume 3, 8.4.4, 10.6
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @vcpus  4
 */
#include <guest.h>

enum { PING = 0x50 };
static unsigned up, pinged[MAX_VCPUS];

static void on_ping(unsigned vector)
{
    (void)vector;
    pinged[this_cpu()->id]++;
}

static void other(void *arg)
{
    check_eq((unsigned long)arg, this_cpu()->id);
    check_eq(this_cpu()->arch.apic_id, 2 * this_cpu()->id);
    __atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
    for (;;)
        wait_for_interrupt();
}

void test_main(void)
{
    interrupt_watch(PING, on_ping);
    for (unsigned long i = 1; i < 4; i++)
        require_eq(vcpu_start((unsigned)i, other, (void *)i), 0);
    check(wait_while(&up, 2, 100000));
    check_eq(up, 3);
    for (unsigned i = 1; i < 4; i++)
        apic_send(2 * i, PING);
    for (unsigned i = 1; i < 4; i++)
        check(wait_while(&pinged[i], 0, 100000));
    apic_send(0, PING | 3 << 18);                 /* all but this one */
    for (unsigned i = 1; i < 4; i++)
        check(wait_while(&pinged[i], 1, 100000));
    check_eq(pinged[0], 0);
}
