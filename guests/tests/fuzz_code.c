/* @title  random instructions
 * @fact   whatever bytes guest user mode executes, it ends in an exception, a system call or the timer, and the guest
 *         kernel goes on
 * @source Intel SDM vol. 2 (every instruction), xen/include/public/xen.h
 * @env    pv64
 * @cmdline seed=1 count=2000
 *
 * User mode has a page table of its own with three pages: code, data, stack. So nothing that it does reaches the guest
 * kernel but through the hypervisor. `seed=` and `count=` come from the command line.
 */
#include <guest.h>
#include <random.h>

#define USER_CODE 0x0000200000000000UL
#define USER_DATA 0x0000200000002000UL
#define USER_STACK 0x0000200000004000UL
enum { RUN_NS = 3000 };

static struct random rng;
static unsigned char *code, *data;
static struct context back;
static unsigned ends[TRAP_FAILSAFE + 2];

#define below(n) random_below(&rng, n)
#define one_in(n) (below(n) == 0)

/* Instructions that mean something to a hypervisor, or are rare. The last byte may be changed. */
static const unsigned char special[][8] = {
    { 3, 0x0f, 0x01, 0xc1 }, { 3, 0x0f, 0x01, 0xd9 }, { 3, 0x0f, 0x01, 0xd0 }, { 3, 0x0f, 0x01, 0xd1 },
    { 3, 0x0f, 0x01, 0xf8 }, { 3, 0x0f, 0x01, 0xf9 }, { 3, 0x0f, 0x20, 0xc0 }, { 3, 0x0f, 0x22, 0xd8 },
    { 3, 0x0f, 0x21, 0xc0 }, { 3, 0x0f, 0x23, 0xf8 }, { 2, 0x0f, 0x30 }, { 2, 0x0f, 0x32 }, { 2, 0x0f, 0x31 },
    { 2, 0x0f, 0x33 }, { 2, 0x0f, 0xa2 }, { 7, 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2 }, { 2, 0x0f, 0x34 },
    { 2, 0x0f, 0x35 }, { 2, 0x0f, 0x07 }, { 2, 0x0f, 0x06 }, { 2, 0x0f, 0x08 }, { 2, 0x0f, 0x09 }, { 1, 0xf4 },
    { 1, 0xfa }, { 1, 0xfb }, { 1, 0xcf }, { 2, 0x48, 0xcf }, { 1, 0xcb }, { 2, 0xcd, 0x80 }, { 2, 0xcd, 0x03 },
    { 1, 0xcc }, { 1, 0xf1 }, { 1, 0xec }, { 1, 0xee }, { 2, 0xf3, 0x6c }, { 2, 0xf3, 0x6e }, { 1, 0x9d }, { 1, 0x9c },
    { 2, 0x8e, 0xd8 }, { 2, 0x8e, 0xe8 }, { 2, 0x8e, 0xd0 }, { 3, 0x0f, 0x00, 0xd8 }, { 3, 0x0f, 0x00, 0xc8 },
    { 3, 0x0f, 0x02, 0xc1 }, { 3, 0x0f, 0x03, 0xc1 }, { 4, 0xf3, 0x0f, 0xae, 0xd0 }, { 4, 0xf3, 0x0f, 0xae, 0xd8 },
    { 3, 0x0f, 0xae, 0x03 }, { 3, 0x0f, 0xae, 0x0b }, { 3, 0x0f, 0xae, 0x23 }, { 3, 0x0f, 0xae, 0x2b },
    { 2, 0xdd, 0x23 }, { 2, 0xdd, 0x33 }, { 2, 0xd9, 0x33 }, { 2, 0x0f, 0x77 }, { 3, 0xf3, 0x48, 0xa5 },
    { 2, 0xf3, 0xaa }, { 2, 0xf2, 0xae }, { 4, 0x66, 0x0f, 0x38, 0x82 }, { 3, 0x0f, 0xc7, 0xf0 }, { 3, 0x0f, 0xc7, 0x0b },
    { 4, 0x48, 0x0f, 0xc7, 0x0b }, { 2, 0xeb, 0xfe }, { 2, 0x0f, 0x05 }, { 1, 0x9b }, { 2, 0xff, 0x2b }, { 2, 0xff, 0x1b },
};

static unsigned fill(unsigned char *at)
{
    static const unsigned char prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x65, 0x48, 0x41, 0x4f, 0xc5 };
    unsigned n = 0;

    while (one_in(2) && n < 3)
        at[n++] = prefixes[below(ARRAY_SIZE(prefixes))];
    if (one_in(3)) {
        const unsigned char *s = special[below(ARRAY_SIZE(special))];

        memcpy(at + n, s + 1, s[0]);
        n += s[0];
        if (one_in(4))
            at[n - 1] = (unsigned char)below(256);
        return n;
    }
    if (one_in(2))
        at[n++] = 0x0f;
    for (unsigned left = 2 + (unsigned)below(5); left; left--)
        at[n++] = (unsigned char)below(256);
    return n;
}

static uint64_t value(void)
{
    switch (below(5)) {
    case 0: return USER_DATA + below(4096);
    case 1: return USER_STACK + below(4096);
    case 2: return below(16);
    case 3: return random_next(&rng) >> below(64);
    default: return USER_CODE + below(4096);
    }
}

static void on_timer(uint32_t port)
{
    (void)port;
    context_restore(&back, 2);
}

/* Enter user mode with these registers. Returns 1 for a trap, 2 for the timer. */
static int run(struct regs *r)
{
    int how = context_save(&back);

    if (how == 0) {
        this_cpu()->recover = &back;
        frame_return(r);
    }
    this_cpu()->recover = NULL;
    events_disable();
    return how;
}

static void map_user(void)
{
    pte_t *root = page_alloc(), *tables[3];
    uint64_t flags = PTE_P | PTE_US | PTE_RW | PTE_A;
    void *stack = page_alloc();

    code = page_alloc();
    data = page_alloc();
    for (unsigned i = 0; i < 3; i++)
        tables[i] = page_alloc();
    tables[0][0] = pte_make(virt_to_mfn(code), flags | PTE_D);
    tables[0][2] = pte_make(virt_to_mfn(data), flags | PTE_D);
    tables[0][4] = pte_make(virt_to_mfn(stack), flags | PTE_D);
    tables[1][0] = pte_make(virt_to_mfn(tables[0]), flags);
    tables[2][0] = pte_make(virt_to_mfn(tables[1]), flags);
    root[USER_CODE >> 39 & 511] = pte_make(virt_to_mfn(tables[2]), flags);
    for (unsigned i = 0; i < 3; i++)
        require_eq(page_readonly(tables[i]), 0);
    require_eq(page_readonly(root), 0);
    require_eq(pt_ext(MMUEXT_PIN_L4_TABLE, virt_to_mfn(root)), 0);
    require_eq(pt_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(root)), 0);
}

void test_main(void)
{
    uint64_t count = guest_option("count", 2000);
    struct vcpu_set_singleshot_timer timer = { .flags = 0 };
    long port = event_bind_virq(VIRQ_TIMER, 0);

    require(port > 0);
    event_watch((uint32_t)port, on_timer);
    hcall(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    rng.state = guest_option("seed", 1);
    map_user();
    for (uint64_t done = 0; done < count; done++) {
        unsigned at = one_in(8) ? 4096 - 1 - (unsigned)below(24) : (unsigned)below(3900), end = at;
        uint64_t *words = NULL;
        struct regs r;

        while (end < at + 64 && end < 4080)
            end += fill(code + end);
        code[end < 4094 ? end : 4094] = 0x0f;
        code[end < 4094 ? end + 1 : 4095] = 0x05;
        for (unsigned i = 0; i < 8; i++)
            ((uint64_t *)data)[below(512)] = value();
        memset(&r, 0, sizeof(r));
        words = &r.r15;
        for (unsigned i = 0; i < 15; i++)
            words[i] = value();
        r.ip = USER_CODE + at;
        r.cs = FLAT_USER_CS;
        r.ss = FLAT_USER_SS;
        r.sp = USER_STACK + 2048 + (one_in(4) ? below(64) : 0);
        r.flags = X86_EFLAGS_IF | (one_in(8) ? random_next(&rng) & 0xfffff : 0);
        /* The timer of the last turn may have come after its end. */
        hcall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0);
        event_clear((uint32_t)port);
        guest_vcpu_info()->evtchn_pending_sel = 0;
        guest_vcpu_info()->evtchn_upcall_pending = 0;
        timer.timeout_abs_ns = clock_ns() + RUN_NS;
        hcall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer);
        fault_arm();
        int how = run(&r);
        unsigned vector = how == 2 ? TRAP_FAILSAFE + 1 : this_cpu()->fault.vector;

        ends[vector < ARRAY_SIZE(ends) ? vector : 0]++;
        if (how == 1 && vector < 32 && (this_cpu()->fault.cs & 3) != 3)
            fail("a trap in the guest kernel: vector %u at %lx", vector, this_cpu()->fault.ip);
        hcall(fpu_taskswitch, 0);
        events_disable();
    }
    for (unsigned v = 0; v < ARRAY_SIZE(ends); v++)
        if (ends[v])
            printf("%-8s %3x: %lu\n", v == TRAP_FAILSAFE + 1 ? "timer" : vector_name(v), v, (unsigned long)ends[v]);
}
