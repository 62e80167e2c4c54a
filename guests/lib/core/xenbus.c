/* xenbus.c - the guest's end of a split driver. */
#include <guest.h>
#include <grants.h>
#include <store.h>
#include <xenbus.h>

enum { BACKEND = 0, FIRST_GRANT = 8, GRANTS = 512 };
static uint32_t next_grant;

static uint64_t number_in(const char *text, uint64_t otherwise)
{
    uint64_t value = 0;

    if (*text < '0' || *text > '9')
        return otherwise;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (uint64_t)(*text++ - '0');
    return value;
}

bool xenbus_find(struct xenbus *x, const char *kind, unsigned number)
{
    char path[2 * XENBUS_PATH], answer[STORE_MAX];

    snprintf(x->front, sizeof(x->front), "device/%s/%u", kind, number);
    snprintf(path, sizeof(path), "%s/backend", x->front);
    if (store_read(0, path, answer) < 0)
        return false;
    snprintf(x->back, sizeof(x->back), "%s", answer);
    return true;
}

uint64_t xenbus_back(struct xenbus *x, const char *name, uint64_t otherwise)
{
    char path[2 * XENBUS_PATH], answer[STORE_MAX];

    snprintf(path, sizeof(path), "%s/%s", x->back, name);
    return store_read(0, path, answer) < 0 ? otherwise : number_in(answer, otherwise);
}

void xenbus_set(struct xenbus *x, const char *name, const char *format, ...)
{
    char path[2 * XENBUS_PATH], value[XENBUS_PATH];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/%s", x->front, name);
    require(store_write(0, path, value));
}

void xenbus_remove(struct xenbus *x, const char *name)
{
    char path[2 * XENBUS_PATH];

    snprintf(path, sizeof(path), "%s/%s", x->front, name);
    require(store_remove(0, path));
}

unsigned xenbus_back_state(struct xenbus *x)
{
    return (unsigned)xenbus_back(x, "state", XenbusStateUnknown);
}

unsigned xenbus_state(struct xenbus *x, unsigned state)
{
    unsigned before = xenbus_back_state(x), now = before;

    xenbus_set(x, "state", "%u", state);
    for (int turn = 0; turn < 20 && now == before; turn++) {
        now = xenbus_back_state(x);
        if (now == before)
            hcall(sched_op, SCHEDOP_yield, 0);
    }
    return now;
}

unsigned xenbus_close(struct xenbus *x, uint32_t port)
{
    unsigned state;

    xenbus_state(x, XenbusStateClosing);
    state = xenbus_state(x, XenbusStateClosed);
    event_close(port);
    xenbus_state(x, XenbusStateInitialising);
    return state;
}

grant_ref_t xenbus_grant(const void *page, bool readonly)
{
    if (next_grant == 0) {
        grants_setup_v1(1);
        next_grant = FIRST_GRANT;
    }
    if (next_grant == GRANTS)
        broken("the library has %u grants", (unsigned)GRANTS);
    grant_v1(next_grant, BACKEND, virt_to_mfn(page), readonly ? GTF_permit_access | GTF_readonly : GTF_permit_access);
    return next_grant++;
}

void xenbus_revoke(grant_ref_t ref)
{
    grant_v1(ref, BACKEND, 0, 0);
}

uint32_t xenbus_channel(void)
{
    long port = event_alloc_unbound(BACKEND);

    require(port > 0);
    return (uint32_t)port;
}
