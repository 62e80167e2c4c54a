/* store.c - the guest's end of the xenstore ring. */
#include <guest.h>
#include <store.h>
#include <abi/io/xs_wire.h>

static struct xenstore_domain_interface *ring;
static uint32_t port, request_id;
static char queued[STORE_MAX];          /* one watch event that came before an answer */
static unsigned queued_events;

bool store_init(void)
{
    ring = guest_store(&port);
    return ring != NULL;
}

static void wait(void)
{
    event_clear(port);
    if (ring->rsp_cons == READ_ONCE(ring->rsp_prod))
        event_poll(port, clock_ns() + 10000000);
}

static void put(const void *data, uint32_t length)
{
    const char *from = data;

    for (uint32_t i = 0; i < length; i++) {
        for (int turn = 0; ring->req_prod - READ_ONCE(ring->req_cons) == XENSTORE_RING_SIZE; turn++) {
            if (turn == 1000)
                fail("xenstore does not read its ring");
            event_send(port);
            hcall(sched_op, SCHEDOP_yield, 0);
        }
        ring->req[MASK_XENSTORE_IDX(ring->req_prod)] = from[i];
        __atomic_store_n(&ring->req_prod, ring->req_prod + 1, __ATOMIC_RELEASE);
    }
}

static bool get(void *data, uint32_t length, unsigned turns)
{
    char *to = data;

    for (uint32_t i = 0; i < length; i++) {
        while (ring->rsp_cons == __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE)) {
            if (turns-- == 0)
                return false;
            wait();
        }
        char c = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons)];

        if (to)
            to[i] = c;
        __atomic_store_n(&ring->rsp_cons, ring->rsp_cons + 1, __ATOMIC_RELEASE);
    }
    return true;
}

/* One message. False: none came. */
static bool receive(struct xsd_sockmsg *head, char body[STORE_MAX], unsigned turns)
{
    if (!get(head, sizeof(*head), turns))
        return false;
    uint32_t keep = head->len < STORE_MAX ? head->len : STORE_MAX - 1;

    if (!get(body, keep, 1000) || !get(NULL, head->len - keep, 1000))
        fail("xenstore stopped in the middle of a message");
    body[keep] = 0;
    event_send(port);
    return true;
}

int store_request(uint32_t type, uint32_t tx, const char *const *parts, unsigned n, char answer[STORE_MAX])
{
    struct xsd_sockmsg head = { .type = type, .req_id = ++request_id, .tx_id = tx };

    for (unsigned i = 0; i < n; i++)
        head.len += (uint32_t)strlen(parts[i]) + (type == XS_WRITE && i == n - 1 ? 0 : 1);
    put(&head, sizeof(head));
    for (unsigned i = 0; i < n; i++)
        put(parts[i], (uint32_t)strlen(parts[i]) + (type == XS_WRITE && i == n - 1 ? 0 : 1));
    event_send(port);
    for (;;) {
        if (!receive(&head, answer, 1000))
            fail("xenstore does not answer request type %u", type);
        if (head.type != XS_WATCH_EVENT)
            break;
        memcpy(queued, answer, STORE_MAX);
        queued_events++;
    }
    check_eq(head.req_id, request_id);
    check_eq(head.tx_id, tx);
    if (head.type == XS_ERROR)
        return -1;
    check_eq(head.type, type);
    return (int)head.len;
}

int store_read(uint32_t tx, const char *path, char answer[STORE_MAX])
{
    return store_request(XS_READ, tx, &path, 1, answer);
}

bool store_write(uint32_t tx, const char *path, const char *value)
{
    const char *parts[] = { path, value };
    char answer[STORE_MAX];

    return store_request(XS_WRITE, tx, parts, 2, answer) >= 0;
}

bool store_remove(uint32_t tx, const char *path)
{
    char answer[STORE_MAX];

    return store_request(XS_RM, tx, &path, 1, answer) >= 0;
}

bool store_mkdir(uint32_t tx, const char *path)
{
    char answer[STORE_MAX];

    return store_request(XS_MKDIR, tx, &path, 1, answer) >= 0;
}

int store_directory(uint32_t tx, const char *path, char answer[STORE_MAX])
{
    return store_request(XS_DIRECTORY, tx, &path, 1, answer);
}

bool store_watch(const char *path, const char *token)
{
    const char *parts[] = { path, token };
    char answer[STORE_MAX];

    return store_request(XS_WATCH, 0, parts, 2, answer) >= 0;
}

bool store_unwatch(const char *path, const char *token)
{
    const char *parts[] = { path, token };
    char answer[STORE_MAX];

    return store_request(XS_UNWATCH, 0, parts, 2, answer) >= 0;
}

bool store_event(char event[STORE_MAX], unsigned turns)
{
    struct xsd_sockmsg head;

    if (queued_events) {
        queued_events--;
        memcpy(event, queued, STORE_MAX);
        return true;
    }
    return receive(&head, event, turns) && head.type == XS_WATCH_EVENT;
}

uint32_t store_transaction(void)
{
    const char *nothing = "";
    char answer[STORE_MAX];
    uint32_t id = 0;

    if (store_request(XS_TRANSACTION_START, 0, &nothing, 1, answer) < 0)
        return 0;
    for (const char *c = answer; *c >= '0' && *c <= '9'; c++)
        id = id * 10 + (uint32_t)(*c - '0');
    return id;
}

bool store_commit(uint32_t tx, bool commit, char answer[STORE_MAX])
{
    const char *word = commit ? "T" : "F";

    return store_request(XS_TRANSACTION_END, tx, &word, 1, answer) >= 0;
}
