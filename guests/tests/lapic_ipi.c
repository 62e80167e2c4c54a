/* @title  messages between processors
 * @fact   they reach whom the destination says, physical and logical, flat and in clusters, and by shorthand; lowest priority
 *         goes to one of them; an NMI comes whatever the flags say
 * @source Intel SDM volume 3, 10.6.1 (ICR), 10.6.2 (destinations), 10.6.2.4 (lowest priority)
 * @env    pvh64 hvm64
 * @vcpus  4
 */
#include <guest.h>

enum { VECTOR = 0x51, LOWEST = 1 << 8, LOGICAL = 1 << 11, ALL = 2 << 18, OTHERS = 3 << 18 };
enum { CLUSTERS = 0x0fffffff, VCPUS = 4 };

static unsigned got[VCPUS], nmis[VCPUS], ready, told[VCPUS];
static bool clusters;

static void on_message(unsigned vector)
{
    (void)vector;
    __atomic_fetch_add(&got[this_cpu()->id], 1, __ATOMIC_SEQ_CST);
}

static bool on_nmi(struct regs *r)
{
    (void)r;
    __atomic_fetch_add(&nmis[this_cpu()->id], 1, __ATOMIC_SEQ_CST);
    return true;
}

/* Flat: a bit each. Clusters: two and two. */
static void address(unsigned id)
{
    lapic_write(LAPIC_DFR, clusters ? CLUSTERS : 0xffffffff);
    lapic_write(LAPIC_LDR, clusters ? (id / 2 << 4 | 1u << id % 2) << 24 : 1u << (24 + id));
    lapic_write(LAPIC_TPR, id == 2 ? 0x10 : 0x20);
    WRITE_ONCE(told[id], told[id] + 1);
}

static void other(void *arg)
{
    unsigned id = (unsigned)(unsigned long)arg, seen = 0;

    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        if (READ_ONCE(clusters) != seen || !told[id]) {
            seen = READ_ONCE(clusters);
            address(id);
        }
        irq_enable();
        hcall(sched_op, SCHEDOP_yield, NULL);
        irq_disable();
    }
}

/* Who got what was sent: a bit each. */
static unsigned sent(uint32_t to, uint32_t command)
{
    unsigned who = 0;

    memset(got, 0, sizeof(got));
    irq_enable();
    apic_send(to, command | VECTOR);
    for (unsigned turns = 0; turns < 3 * VCPUS; turns++)
        hcall(sched_op, SCHEDOP_yield, NULL);
    irq_disable();
    for (unsigned i = 0; i < VCPUS; i++) {
        check(got[i] <= 1);
        who |= got[i] << i;
    }
    return who;
}

static void all_told(unsigned times)
{
    address(0);
    for (unsigned i = 0; i < VCPUS; i++)
        while (READ_ONCE(told[i]) < times)
            hcall(sched_op, SCHEDOP_yield, NULL);
}

void test_main(void)
{
    interrupt_watch(VECTOR, on_message);
    trap_set_handler(X86_EXC_NMI, on_nmi);
    for (unsigned long i = 1; i < VCPUS; i++)
        require_eq(vcpu_start((unsigned)i, other, (void *)i), 0);
    all_told(1);
    unsigned third = cpu_area(2)->arch.apic_id;

    check_eq(sent(third, 0), 1 << 2);
    check_eq(sent(0xff, 0), 0xf);
    check_eq(sent(0x0a, LOGICAL), 0xa);
    check_eq(sent(0x30, LOGICAL), 0);
    check_eq(sent(0, ICR_SELF), 1);
    check_eq(sent(0, ALL), 0xf);
    check_eq(sent(0, OTHERS), 0xe);
    check_eq(sent(0x0f, LOGICAL | LOWEST), 1 << 2);       /* whose priority is the lowest */
    WRITE_ONCE(clusters, true);
    all_told(2);
    check_eq(sent(0x13, LOGICAL), 0xc);
    check_eq(sent(0x02, LOGICAL), 1 << 1);
    check_eq(sent(0xf1, LOGICAL), 1 << 0 | 1 << 2);
    sent(third, ICR_NMI);
    check_eq(nmis[2], 1);
    check_eq(nmis[0] + nmis[1] + nmis[3], 0);
}
