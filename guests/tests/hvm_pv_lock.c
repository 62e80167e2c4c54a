/* @title  a lock whose waiters sleep, on whole processors
 * @fact   SCHEDOP_poll with interrupts off gives the processor up until another one's event comes: nobody's turn is lost,
 *         and no upcall is made for it
 * @source xen/include/public/sched.h (SCHEDOP_poll); arch/x86/xen/spinlock.c of Linux
 * @env    pvh64 hvm64 hvm32pae pvh32
 * @vcpus  4
 */
#include <guest.h>

enum { CPUS = 4, ROUNDS = 100 };

static uint32_t port[CPUS];
static unsigned next, serving, slept[CPUS], done;
static unsigned long shared;

static void lock(unsigned me)
{
    unsigned ticket = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST);

    while (READ_ONCE(serving) != ticket) {
        event_clear(port[me]);
        if (READ_ONCE(serving) == ticket)
            break;
        slept[me]++;
        check_eq(event_poll(port[me], 0), 0);
    }
}

static void unlock(unsigned me)
{
    __atomic_fetch_add(&serving, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < CPUS; i++)
        if (i != me)
            event_send(port[i]);
}

static void work(void *arg)
{
    unsigned me = (unsigned)(unsigned long)arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        lock(me);
        unsigned long before = READ_ONCE(shared);

        hcall(sched_op, SCHEDOP_yield, 0);
        WRITE_ONCE(shared, before + 1);
        unlock(me);
    }
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

void test_main(void)
{
    events_disable();
    for (unsigned i = 0; i < CPUS; i++) {
        long bound = event_bind_ipi(i);

        require(bound > 0);
        port[i] = (uint32_t)bound;
        event_mask(port[i]);
    }
    for (unsigned i = 1; i < CPUS; i++)
        require_eq(vcpu_start(i, work, (void *)(unsigned long)i), 0);
    work(0);
    while (READ_ONCE(done) != CPUS)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(shared, CPUS * ROUNDS);
    for (unsigned i = 0; i < CPUS; i++)
        check(slept[i] > 0);
    check_eq(events_upcalls, 0);
}
