/* events.c - event channels by the 2-level ABI: a bit a port in shared_info, a selector word a vcpu. */
#include <guest.h>

enum { WORD_BITS = 8 * sizeof(xen_ulong_t) };

static event_handler *handlers[EVENTS_MAX_PORTS];
static unsigned counts[EVENTS_MAX_PORTS];
unsigned events_upcalls;

static void scan_2level(void);
void (*events_scan)(void) = scan_2level;

static xen_ulong_t *word_of(xen_ulong_t *words, uint32_t port)
{
    return &words[port / WORD_BITS];
}

static xen_ulong_t bit_of(uint32_t port)
{
    return (xen_ulong_t)1 << (port % WORD_BITS);
}

long event_alloc_unbound(domid_t remote)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };
    long rc = hcall(event_channel_op, EVTCHNOP_alloc_unbound, &op);

    return rc ? rc : (long)op.port;
}

long event_bind_interdomain(domid_t remote, uint32_t remote_port)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
    long rc = hcall(event_channel_op, EVTCHNOP_bind_interdomain, &op);

    return rc ? rc : (long)op.local_port;
}

long event_bind_virq(uint32_t virq, uint32_t vcpu)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
    long rc = hcall(event_channel_op, EVTCHNOP_bind_virq, &op);

    return rc ? rc : (long)op.port;
}

long event_bind_ipi(uint32_t vcpu)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    long rc = hcall(event_channel_op, EVTCHNOP_bind_ipi, &op);

    return rc ? rc : (long)op.port;
}

long event_send(uint32_t port)
{
    struct evtchn_send op = { .port = port };

    return hcall(event_channel_op, EVTCHNOP_send, &op);
}

long event_close(uint32_t port)
{
    struct evtchn_close op = { .port = port };

    return hcall(event_channel_op, EVTCHNOP_close, &op);
}

long event_unmask(uint32_t port)
{
    struct evtchn_unmask op = { .port = port };

    return hcall(event_channel_op, EVTCHNOP_unmask, &op);
}

void event_mask(uint32_t port)
{
    __atomic_fetch_or(word_of(guest_shared_info()->evtchn_mask, port), bit_of(port), __ATOMIC_SEQ_CST);
}

bool event_pending(uint32_t port)
{
    return READ_ONCE(*word_of(guest_shared_info()->evtchn_pending, port)) & bit_of(port);
}

void event_clear(uint32_t port)
{
    __atomic_fetch_and(word_of(guest_shared_info()->evtchn_pending, port), ~bit_of(port), __ATOMIC_SEQ_CST);
}

long event_poll(uint32_t port, uint64_t deadline)
{
    evtchn_port_t ports[1] = { port };
    struct sched_poll op = { .nr_ports = 1, .timeout = deadline };

    set_xen_guest_handle(op.ports, ports);
    return hcall(sched_op, SCHEDOP_poll, &op);
}

void event_watch(uint32_t port, event_handler *handler)
{
    if (port >= EVENTS_MAX_PORTS)
        broken("port %u is beyond the library's table", port);
    handlers[port] = handler;
    counts[port] = 0;
    __atomic_fetch_and(word_of(guest_shared_info()->evtchn_mask, port), ~bit_of(port), __ATOMIC_SEQ_CST);
}

unsigned event_count(uint32_t port)
{
    return READ_ONCE(counts[port]);
}

static void take(uint32_t port)
{
    event_clear(port);
    if (port < EVENTS_MAX_PORTS) {
        counts[port]++;
        if (handlers[port])
            handlers[port](port);
    }
}

static void scan_2level(void)
{
    struct shared_info *s = guest_shared_info();
    struct vcpu_info *v = guest_vcpu_info();
    xen_ulong_t selectors = __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (uint32_t w = 0; selectors; w++, selectors >>= 1) {
        if (!(selectors & 1))
            continue;
        xen_ulong_t ready = READ_ONCE(s->evtchn_pending[w]) & ~READ_ONCE(s->evtchn_mask[w]);

        for (uint32_t b = 0; ready; b++, ready >>= 1)
            if (ready & 1)
                take(w * WORD_BITS + b);
    }
}

void events_upcall(void)
{
    struct vcpu_info *v = guest_vcpu_info();

    events_upcalls++;
    do {
        WRITE_ONCE(v->evtchn_upcall_pending, 0);
        events_scan();
    } while (READ_ONCE(v->evtchn_upcall_pending));
}
