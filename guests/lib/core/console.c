/* console.c - the front end of the PV console. */
#include <guest.h>
#include <abi/io/console.h>

static struct xencons_interface *ring;
static uint32_t port;

void console_init(struct xencons_interface *the_ring, uint32_t the_port)
{
    ring = the_ring;
    port = the_port;
}

struct xencons_interface *console_ring(void)
{
    return ring;
}

uint32_t console_port(void)
{
    return port;
}

static void notify(void)
{
    struct evtchn_send send = { .port = port };

    hcall(event_channel_op, EVTCHNOP_send, &send);
}

static size_t push(const char *text, size_t length)
{
    XENCONS_RING_IDX cons = __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE);
    XENCONS_RING_IDX prod = ring->out_prod;
    size_t n = 0;

    while (n < length && prod - cons < sizeof(ring->out))
        ring->out[prod++ & (sizeof(ring->out) - 1)] = text[n++];
    __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
    return n;
}

void console_write(const char *text, size_t length)
{
    if (!ring) {
        hcall(console_io, CONSOLEIO_write, length, text);
        return;
    }
    while (length) {
        size_t n = push(text, length);

        text += n;
        length -= n;
        notify();
        if (length)
            hcall(sched_op, SCHEDOP_yield, 0);
    }
}

void console_drain(void)
{
    for (int turn = 0; ring && turn < 1000; turn++) {
        if (__atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) == ring->out_prod)
            return;
        hcall(sched_op, SCHEDOP_yield, 0);
    }
}

size_t console_read(char *out, size_t size)
{
    size_t n = 0;

    if (!ring)
        return 0;
    XENCONS_RING_IDX prod = __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE);
    XENCONS_RING_IDX cons = ring->in_cons;

    while (n < size && cons != prod)
        out[n++] = ring->in[cons++ & (sizeof(ring->in) - 1)];
    __atomic_store_n(&ring->in_cons, cons, __ATOMIC_RELEASE);
    if (n)
        notify();
    return n;
}
