/* @title  hypercalls and power calls of an ARM guest that means no good
 * @fact   whatever hypercall it makes, with nearly valid arguments or wild ones, and whatever function of PSCI and SMCCC, it gets
 *         an answer or an exception, and stays alive; nothing outside its frames changes (that is checked from outside)
 * @source xen/include/public (every hypercall that an ARM guest may make); Arm DEN 0022, DEN 0028
 * @env    arm64 arm32
 * @vcpus  4
 * @cmdline seed=1 count=3000
 *
 * Each call begins as one that could work; then some of its words are replaced. What would take the guest's own ground away (its
 * image, the pages of console and store, its power) is left out. `only=` is the number of a hypercall.
 */
#include <guest.h>
#include <hostile.h>
#include <grants.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/version.h>

enum { POOL = 16, SPARE = 4, WORDS = 64, CANARIES = 2, PORTS = 24, REFS = 32, MOST_NUMBER = 64, POWER_CALLS = 200 };

static struct random rng;
/* Frames that may become anything; the spare ones are for ranges that begin before them. */
static char pool[POOL + SPARE][PAGE_SIZE] __attribute__((aligned(4096)));
static char canaries[CANARIES][PAGE_SIZE] __attribute__((aligned(4096)));
/* Arguments lie at the end of a page, with nothing mapped behind it: a count that is too large reads no further. */
static unsigned char slot[2][PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t *const words = (uint64_t *)slot[1] - 2 * WORDS, *const list = (uint64_t *)slot[1] - WORDS;
static uint32_t *code;
static uint64_t pages;                          /* of RAM */

#define below(n) random_below(&rng, n)
#define one_in(n) (below(n) == 0)
#define wild() hostile_number(&rng)
#define number(good) (one_in(10) ? wild() : (uint64_t)(good))
#define pointer(good) (one_in(10) ? hostile_pointer() : (unsigned long)(good))

/* Where nothing of the guest's own is: nothing at all, a device, what is behind all memory. */
static unsigned long hostile_pointer(void)
{
    switch (below(6)) {
    case 0: return (unsigned long)below(64);
    case 1: return BAD_POINTER - below(64);
    case 2: return (unsigned long)gicd(0) + (unsigned long)below(0x1000);
    case 3: return ~(unsigned long)below(64);
    case 4: return RAM_BASE + (unsigned long)(pages << PAGE_SHIFT) + (unsigned long)below(16);
    default: return (unsigned long)(wild() << 32 | 0xf0000000);
    }
}

/* What the guest lives by, or stands on. */
static bool is_vital(uint64_t frame)
{
    uint64_t ram = RAM_BASE >> PAGE_SHIFT, first = virt_to_mfn(pool);

    frame &= ~0ULL >> PAGE_SHIFT;
    if (frame >= first && frame < first + POOL)
        return false;
    return (frame >= ram && frame < ram + pages) || (frame >= GUEST_GNTTAB_BASE >> PAGE_SHIFT && frame < ram);
}

static uint64_t frame(void)
{
    uint64_t wild_one = wild();

    return one_in(4) && !is_vital(wild_one) ? wild_one : virt_to_mfn(pool[below(POOL)]);
}

static domid_t domid(void)
{
    static const domid_t some[] = { 0, 1, 2, 3, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0x7fff, 0x8000, 0xffff };

    return one_in(6) ? some[below(ARRAY_SIZE(some))] : DOMID_SELF;
}

/* Ports 1 and 2 are the console's and xenstore's. */
static uint32_t port(void) { return one_in(10) ? (uint32_t)wild() | 4 : 3 + (uint32_t)below(PORTS); }

/* ---- one builder a hypercall: fills a[] ---- */

static void b_memory_op(unsigned long *a)
{
    struct xen_memory_reservation *r = (struct xen_memory_reservation *)words;
    struct xen_add_to_physmap *add = (struct xen_add_to_physmap *)words;

    a[0] = (unsigned long)number(below(29));
    for (unsigned i = 0; i < WORDS; i++)
        list[i] = frame();
    for (unsigned i = 0; i < 2; i++) {          /* the second is the `out` of an exchange */
        set_xen_guest_handle(r[i].extent_start, (xen_pfn_t *)pointer(list + 8 * i));
        r[i].nr_extents = number(below(5));
        r[i].extent_order = (uint32_t)number(0);
        r[i].mem_flags = (uint32_t)(one_in(4) ? wild() : 0);
        r[i].domid = domid();
        if (r[i].extent_order && r[i].extent_order < 40)            /* a run of frames would go beyond the pool */
            r[i].nr_extents = 0;
    }
    if (a[0] == XENMEM_add_to_physmap || a[0] == XENMEM_add_to_physmap_batch || a[0] == XENMEM_remove_from_physmap) {
        *add = (struct xen_add_to_physmap){ .domid = domid(), .size = (uint16_t)below(3), .space = (uint32_t)number(below(6)),
                                            .idx = one_in(2) ? below(4) : frame(), .gpfn = frame() };
        if (a[0] == XENMEM_add_to_physmap_batch)
            words[1] = words[2] = words[3] = (uint64_t)pointer(list + below(WORDS));
    }
    if (a[0] == XENMEM_current_reservation || a[0] == XENMEM_maximum_reservation)
        *(domid_t *)words = domid();
    a[0] |= one_in(40) ? (unsigned long)below(1 << 20) << MEMOP_EXTENT_SHIFT : 0;
    a[1] = pointer(words);
}

static void b_event_channel_op(unsigned long *a)
{
    uint32_t *w = (uint32_t *)words;

    a[0] = (unsigned long)number(below(14));
    a[1] = pointer(words);
    w[0] = port();
    w[1] = (uint32_t)number(below(16));
    switch (a[0]) {
    case EVTCHNOP_alloc_unbound:
        w[0] = domid() | (uint32_t)domid() << 16;
        break;
    case EVTCHNOP_bind_interdomain: case EVTCHNOP_status:
        w[0] = domid();
        w[1] = port();
        break;
    case EVTCHNOP_bind_virq: case EVTCHNOP_bind_ipi:
        w[0] = (uint32_t)number(below(24));
        break;
    case EVTCHNOP_reset:
        w[0] = 2;                               /* never itself: the console's port would go */
        __attribute__((fallthrough));
    case EVTCHNOP_close:                        /* nor by a number that happens to be somewhere */
        a[1] = (unsigned long)words;
        break;
    case EVTCHNOP_init_control: case EVTCHNOP_expand_array:
        words[0] = frame();
        w[2] = (uint32_t)number(below(512) * 8);
        w[3] = (uint32_t)number(below(5));
        break;
    default:
        break;
    }
}

static void build_copy(struct gnttab_copy *copy)
{
    copy->flags = (uint16_t)number(below(4));
    copy->source.u.gmfn = copy->flags & GNTCOPY_source_gref ? below(REFS) : frame();
    copy->dest.u.gmfn = copy->flags & GNTCOPY_dest_gref ? below(REFS) : frame();
    copy->source.domid = copy->flags & GNTCOPY_source_gref ? (domid_t)number(1) : domid();
    copy->dest.domid = copy->flags & GNTCOPY_dest_gref ? (domid_t)number(1) : domid();
    copy->source.offset = (uint16_t)number(below(4096));
    copy->dest.offset = (uint16_t)number(below(4096));
    copy->len = (uint16_t)number(below(300));
}

static void b_grant_table_op(unsigned long *a)
{
    a[0] = (unsigned long)number(below(13));
    a[1] = pointer(words);
    a[2] = one_in(20) ? (unsigned long)wild() : 1 + (unsigned long)below(2);
    for (unsigned i = 0; i < 2; i++) {
        struct gnttab_map_grant_ref *map = (struct gnttab_map_grant_ref *)words + i;
        struct gnttab_unmap_grant_ref *unmap = (struct gnttab_unmap_grant_ref *)words + i;
        struct gnttab_setup_table *setup = (struct gnttab_setup_table *)words;

        switch (a[0]) {
        case GNTTABOP_map_grant_ref:
            *map = (struct gnttab_map_grant_ref){ .host_addr = frame() << PAGE_SHIFT | (one_in(9) ? below(4096) : 0),
                .flags = (uint32_t)number(GNTMAP_host_map | below(8)), .ref = (uint32_t)number(below(REFS)),
                .dom = (domid_t)number(1) };
            break;
        case GNTTABOP_unmap_grant_ref: case GNTTABOP_unmap_and_replace:
            *unmap = (struct gnttab_unmap_grant_ref){ .host_addr = frame() << PAGE_SHIFT, .handle = (uint32_t)number(below(8)),
                .dev_bus_addr = one_in(4) ? wild() : 0 };
            break;
        case GNTTABOP_copy:
            build_copy((struct gnttab_copy *)words + i);
            break;
        case GNTTABOP_setup_table: case GNTTABOP_get_status_frames:
            setup->dom = domid();
            setup->nr_frames = (uint32_t)number(below(4));
            set_xen_guest_handle(setup->frame_list, (xen_pfn_t *)pointer(list));
            break;
        default:
            ((uint32_t *)words)[8 * i] = one_in(2) ? domid() : (uint32_t)number(below(3));
            ((uint32_t *)words)[8 * i + 1] = (uint32_t)number(below(REFS));
            break;
        }
    }
}

static void b_vcpu_op(unsigned long *a)
{
    a[0] = (unsigned long)number(below(14));
    a[1] = (unsigned long)number(below(5));
    a[2] = pointer(words);
    words[0] = one_in(2) ? frame() : (unsigned long)pool[below(POOL)] + below(4096);
    ((uint32_t *)words)[2] = (uint32_t)number(below(60) * 64);
}

static void b_sched_op(unsigned long *a)
{
    static const uint8_t commands[] = { SCHEDOP_yield, SCHEDOP_poll, SCHEDOP_poll, SCHEDOP_remote_shutdown, SCHEDOP_watchdog,
                                        SCHEDOP_pin_override, 8, 99 };
    struct sched_poll *poll = (struct sched_poll *)words;

    a[0] = commands[below(ARRAY_SIZE(commands))];
    a[1] = a[0] == SCHEDOP_poll || !one_in(10) ? (unsigned long)words : hostile_pointer();
    if (a[0] != SCHEDOP_poll) {
        ((uint32_t *)words)[0] = a[0] == SCHEDOP_watchdog ? (uint32_t)(7 + below(90)) : (uint32_t)wild();
        if (a[0] == SCHEDOP_watchdog)
            a[1] = (unsigned long)words;        /* never zeros that happen to be somewhere: it would start */
        return;
    }
    set_xen_guest_handle(poll->ports, (evtchn_port_t *)pointer(list));
    poll->nr_ports = (uint32_t)number(below(4));
    poll->timeout = 1 + (one_in(2) ? clock_ns() + below(100000) : 0);
    for (unsigned i = 0; i < 4; i++)
        ((uint32_t *)list)[i] = port();
}

/* Command and pointer, with anything behind it. */
static void b_command(unsigned long *a)
{
    a[0] = (unsigned long)number(below(14));
    a[1] = pointer(words);
    for (unsigned i = 2; i < 5; i++)
        a[i] = one_in(2) ? (unsigned long)wild() : (unsigned long)list;
    for (unsigned i = 0; i < 8; i++)
        words[i] = one_in(2) ? below(8) : wild();
}

static void b_console_io(unsigned long *a)
{
    a[0] = (unsigned long)number(1 + below(3));
    a[1] = (unsigned long)number(0);
    a[2] = hostile_pointer();
}

static void b_multicall(unsigned long *a);

static const struct {
    unsigned number, often;
    void (*build)(unsigned long *a);
} table[] = {
    { __HYPERVISOR_memory_op, 6, b_memory_op }, { __HYPERVISOR_event_channel_op, 6, b_event_channel_op },
    { __HYPERVISOR_grant_table_op, 6, b_grant_table_op }, { __HYPERVISOR_vcpu_op, 2, b_vcpu_op },
    { __HYPERVISOR_sched_op, 2, b_sched_op }, { __HYPERVISOR_multicall, 2, b_multicall },
    { __HYPERVISOR_console_io, 1, b_console_io }, { __HYPERVISOR_hvm_op, 1, b_command },
    { __HYPERVISOR_physdev_op, 1, b_command }, { __HYPERVISOR_xen_version, 1, b_command },
    { __HYPERVISOR_vm_assist, 1, b_command }, { MOST_NUMBER, 2, b_command },
};

static unsigned choose(void)
{
    unsigned total = 0, at;

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        total += table[i].often;
    at = (unsigned)below(total);
    for (unsigned i = 0;; at -= table[i++].often)
        if (at < table[i].often)
            return i;
}

/* Those that have a builder of their own are not made with another's arguments. */
static unsigned call_number(unsigned entry)
{
    unsigned nr = table[entry].number;

    while (nr == MOST_NUMBER) {
        nr = (unsigned)(one_in(8) ? wild() | MOST_NUMBER : below(MOST_NUMBER));
        for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
            if (table[i].number == nr && nr != MOST_NUMBER)
                nr = MOST_NUMBER;
    }
    return nr;
}

static void b_multicall(unsigned long *a)
{
    static struct multicall_entry calls[4];
    unsigned n = (unsigned)below(ARRAY_SIZE(calls) + 1);

    for (unsigned i = 0; i < n; i++) {          /* the last alone has arguments in memory: there is one place for them */
        unsigned entry = choose();
        unsigned long args[6] = { 0 };

        while (table[entry].build == b_multicall || table[entry].build == b_sched_op)
            entry = choose();
        if (i + 1 == n)
            table[entry].build(args);
        else
            b_console_io(args);
        for (unsigned k = 0; k < 6; k++)
            calls[i].args[k] = args[k];
        calls[i].op = i + 1 == n ? call_number(entry) : __HYPERVISOR_console_io;
    }
    if (one_in(10)) {                           /* more than there are, where there are none */
        a[0] = hostile_pointer();
        a[1] = (unsigned long)number(below(1 << 20));
        return;
    }
    a[0] = (unsigned long)calls;
    a[1] = n;
}

/* ---- HVC and SMC ---- */

static bool is_deadly(uint32_t function)
{
    static const uint32_t deadly[] = { PSCI_FN_CPU_SUSPEND, PSCI_FN_CPU_OFF, PSCI_FN_SYSTEM_OFF, PSCI_FN_SYSTEM_RESET, 0, 1 };

    for (unsigned i = 0; i < ARRAY_SIZE(deadly); i++)
        if ((function & ~PSCI_FN64) == deadly[i] || function == deadly[i])
            return true;
    return false;
}

/* A function of a service that there is, or any number. Processors that are started at nowhere never come far. */
static void power_call(void)
{
    static const uint32_t services[] = { 0x84000000, 0xc4000000, 0x80000000, 0x86000000, 0x8600ff00, 0x8400ff00, 0 };
    uint64_t function = one_in(4) ? wild() : services[below(ARRAY_SIZE(services))] + below(0x20);

    if (!is_deadly((uint32_t)function))
        (void)psci((unsigned long)function, (unsigned long)number(below(6)), hostile_pointer() & ~3UL, (unsigned long)wild());
}

static void execute(void *unused)
{
    (void)unused;
    ((unsigned long (*)(unsigned long))(unsigned long)code)(PSCI_FN_VERSION);
}

/* Any immediate: those that are not a hypercall's nor a standard call's are undefined. */
static void any_immediate(void)
{
    uint32_t immediate = (uint32_t)number(below(0x10000)) & 0xffff;
#ifdef __aarch64__
    uint32_t call[] = { (one_in(2) ? 0xd4000002 : 0xd4000003) | immediate << 5, 0xd65f03c0 };
#else
    uint32_t call[] = { 0xe1400070 | (immediate & 0xfff0) << 4 | (immediate & 15), 0xe12fff1e };
#endif
    struct fault *f = fault_arm();

    if (immediate == 0 || immediate == XEN_HYPERCALL_TAG)
        return;
    code[0] = call[0];
    code[1] = call[1];
    code_written(code, sizeof(call));
    check(!fault_probe(execute, NULL));
    check_eq(f->ip, (unsigned long)code);
}

static void prepare(void)
{
    pages = guest_pages();
    grants_setup_v1(1);
    for (uint32_t ref = 8; ref < REFS; ref++)
        grant_v1(ref, 1, virt_to_mfn(pool[below(POOL)]), (uint16_t)(1 + below(8)));
    for (unsigned i = 0; i < CANARIES; i++)
        memset(canaries[i], (int)(0xc0 + i), PAGE_SIZE);
    pt_set(slot[1], 0);
    code = (uint32_t *)page_alloc();
    code_allow(code);
    events_disable();
}

void test_main(void)
{
    static unsigned good[MOST_NUMBER], bad[MOST_NUMBER];
    uint64_t count = guest_option("count", 3000), only = guest_option("only", ~0ULL);

    rng.state = guest_option("seed", 1);
    prepare();
    for (uint64_t done = 0; done < count;) {
        unsigned entry = choose(), nr = call_number(entry);
        unsigned long a[6] = { 0 };

        if (only != ~0ULL && nr != only)
            continue;
        table[entry].build(a);
        long rc = hcall_number(nr, a[0], a[1], a[2], a[3], a[4]);
        (rc < 0 ? bad : good)[nr % MOST_NUMBER]++;
        if (++done % 16 == 0)
            any_immediate();
    }
    for (unsigned i = 0; i < POWER_CALLS; i++)
        power_call();
    for (unsigned nr = 0; nr < MOST_NUMBER; nr++)
        if (good[nr])
            printf("hypercall %2u: %6u done, %6u refused\n", nr, good[nr], bad[nr]);
    for (unsigned i = 0; i < CANARIES; i++)
        for (unsigned k = 0; k < PAGE_SIZE; k++)
            require_eq((unsigned char)canaries[i][k], 0xc0 + i);
    check_eq(hcall(xen_version, XENVER_version, 0) >> 16, 4);
    check_eq(psci(PSCI_FN_VERSION, 0, 0, 0), PSCI_VERSION_1_1);
}
