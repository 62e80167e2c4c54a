/* @title  FIFO event channels
 * @fact   after init_control and expand_array events are linked into queues by priority, and heads are consumed in order
 * @source xen/include/public/event_channel.h (FIFO-based event channels)
 * @env    pv64 arm64 arm32
 */
#include <guest.h>

static struct evtchn_fifo_control_block *control;
static event_word_t *words;
static uint32_t order[16], n_order;

static void scan_fifo(void)
{
    uint32_t ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);

    for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
        if (!(ready & 1u << q))
            continue;
        for (uint32_t port = control->head[q]; port;) {
            uint32_t w = __atomic_load_n(&words[port], __ATOMIC_SEQ_CST), next;

            do
                next = w & ~((1u << EVTCHN_FIFO_LINKED) | (uint32_t)EVTCHN_FIFO_LINK_MASK);
            while (!__atomic_compare_exchange_n(&words[port], &w, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
            next = w & EVTCHN_FIFO_LINK_MASK;
            if (w & 1u << EVTCHN_FIFO_PENDING && !(w & 1u << EVTCHN_FIFO_MASKED)) {
                __atomic_fetch_and(&words[port], ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
                if (n_order < ARRAY_SIZE(order))
                    order[n_order++] = port;
            }
            port = next;
        }
    }
}

static void unmask(uint32_t port)
{
    __atomic_fetch_and(&words[port], ~(1u << EVTCHN_FIFO_MASKED), __ATOMIC_SEQ_CST);
}

void test_main(void)
{
    struct evtchn_expand_array expand;
    struct evtchn_init_control init = { .vcpu = 0 };

    control = page_alloc();
    words = page_alloc();
    expand.array_gfn = virt_to_mfn(words);
    check_eq(hcall(event_channel_op, EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP);

    init.control_gfn = virt_to_mfn(control);
    init.vcpu = 7;
    check_eq(hcall(event_channel_op, EVTCHNOP_init_control, &init), -XEN_ENOENT);
    init.vcpu = 0;
    init.offset = 4;
    check_eq(hcall(event_channel_op, EVTCHNOP_init_control, &init), -XEN_EINVAL);
    init.offset = 4096;
    check_eq(hcall(event_channel_op, EVTCHNOP_init_control, &init), -XEN_EINVAL);
    init.offset = 0;
    require_eq(hcall(event_channel_op, EVTCHNOP_init_control, &init), 0);
    check_eq(init.link_bits, EVTCHN_FIFO_LINK_BITS);
    check_eq(hcall(event_channel_op, EVTCHNOP_init_control, &init), -XEN_EINVAL);
    require_eq(hcall(event_channel_op, EVTCHNOP_expand_array, &expand), 0);

    uint32_t port[4];
    for (unsigned i = 0; i < 4; i++) {
        long p = event_bind_ipi(0);

        require(p > 0);
        port[i] = (uint32_t)p;
        unmask(port[i]);
    }
    struct evtchn_set_priority priority = { .port = port[2], .priority = EVTCHN_FIFO_PRIORITY_MAX };
    check_eq(hcall(event_channel_op, EVTCHNOP_set_priority, &priority), 0);
    priority.priority = 16;
    check_eq(hcall(event_channel_op, EVTCHNOP_set_priority, &priority), -XEN_EINVAL);

    events_scan = scan_fifo;
    events_disable();
    for (unsigned i = 0; i < 4; i++)
        check_eq(event_send(port[i]), 0);
    check_eq(control->head[EVTCHN_FIFO_PRIORITY_DEFAULT], port[0]);
    check_eq(control->head[EVTCHN_FIFO_PRIORITY_MAX], port[2]);
    check(words[port[0]] & 1u << EVTCHN_FIFO_LINKED);
    check_eq(words[port[0]] & EVTCHN_FIFO_LINK_MASK, port[1]);
    events_enable();
    check_eq(n_order, 4);
    check_eq(order[0], port[2]);
    check_eq(order[1], port[0]);
    check_eq(order[2], port[1]);
    check_eq(order[3], port[3]);

    /* Masked: pending, but in no queue. */
    n_order = 0;
    __atomic_fetch_or(&words[port[1]], 1u << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
    event_send(port[1]);
    check_eq(n_order, 0);
    check(words[port[1]] & 1u << EVTCHN_FIFO_PENDING);
    unmask(port[1]);
    check_eq(event_unmask(port[1]), 0);
    check_eq(n_order, 1);
    events_disable();
}
