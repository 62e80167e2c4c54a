/* @title  software generated interrupts
 * @fact   an SGI reaches the processors that it names, itself among them, or all others; a GICv2 says who sent it and keeps one
 *         for each sender, a GICv3 neither
 * @source Arm IHI 0048B 3.2.5, 4.3.15, 4.4.4; IHI 0069 12.2 (ICC_SGI1R_EL1)
 * @env    arm64 arm32
 * @vcpus  4
 */
#include <guest.h>
#include <gic_cpu.h>

enum { CPUS = 4, PING = 3, TWICE = 5, OTHERS_V2 = 1 << 24, TURNS = 100000 };
static unsigned up, pinged[CPUS], sent;

static void on_ping(unsigned interrupt)
{
    (void)interrupt;
    __atomic_fetch_add(&pinged[this_cpu()->id], 1, __ATOMIC_SEQ_CST);
}

static void other(void *arg)
{
    (void)arg;
    gic_enable(PING);
    __atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
    while (READ_ONCE(pinged[this_cpu()->id]) < 2)
        wait_for_interrupt();
    gic_send(TWICE, 1);
    gic_send(TWICE, 1);
    __atomic_fetch_add(&sent, 1, __ATOMIC_SEQ_CST);
}

static void send_to_others(unsigned number)
{
    if (gic_is_v3())
        icc_send(number | 1 << 16, 0);                  /* IRM, bit 40 */
    else
        *gicd(GICD_SGIR) = OTHERS_V2 | number;
}

void test_main(void)
{
    gic_without_events();
    interrupt_watch(PING, on_ping);
    gic_enable(PING);
    gic_enable(TWICE);
    for (unsigned i = 1; i < CPUS; i++)
        require_eq(vcpu_start(i, other, NULL), 0);
    for (unsigned i = 0; i < CPUS - 1; i++)
        require(wait_while(&up, i, TURNS));

    gic_send(PING, 1 << 1 | 1 << 3);
    check(wait_while(&pinged[1], 0, TURNS) && wait_while(&pinged[3], 0, TURNS));
    check_eq(READ_ONCE(pinged[2]), 0);
    gic_send(PING, 1 << 2);
    check(wait_while(&pinged[2], 0, TURNS));
    gic_send(PING, 1);
    check(interrupt_wait(PING, 4, 100000));
    check_eq(pinged[0], 1);
    send_to_others(PING);
    for (unsigned i = 1; i < CPUS; i++)
        check(wait_while(&pinged[i], 1, TURNS));
    check_eq(pinged[0], 1);

    for (unsigned i = 0; i < CPUS - 1; i++)
        require(wait_while(&sent, i, TURNS));
    for (unsigned source = gic_is_v3() ? 3 : 1; source < CPUS; source++) {
        uint32_t taken = gic_acknowledge();

        check_eq(taken, gic_is_v3() ? TWICE : source << 10 | TWICE);
        gic_end(taken);
    }
    check_eq(gic_take_and_end(), GIC_SPURIOUS);
}
