/* @title  nearly valid hypercalls
 * @fact   whatever an unprivileged guest passes, it gets an errno or what it asked for, and stays alive; nothing outside
 *         its frames changes (that part is checked from outside)
 * @source xen/include/public (every hypercall that a PV guest may make)
 * @env    pv64
 * @vcpus  2
 * @memory 32
 * @cmdline seed=1 count=3000
 *
 * Arguments are built by structure: each call begins as one that could work, and then some of its words are replaced
 * by wild ones. What would take the guest's own ground away (its code, stack, page tables, the console's port) is left
 * out. `seed=`, `count=` and `only=` (a hypercall number) come from the command line.
 */
#include <guest.h>
#include <hostile_pv.h>
#include <random.h>
#include <grants.h>
#include <abi/callback.h>
#include <abi/memory.h>
#include <abi/nmi.h>
#include <abi/physdev.h>
#include <abi/version.h>

enum { POOL = 24, WINDOWS = 4, LOOSE = 8, CANARIES = 4, MAX_MFN = 1 << 18 };

static struct random rng;
static void *pool[POOL];                     /* frames that may become anything */
static uint64_t loose[LOOSE];                /* frames that are mapped nowhere, to give away */
static char windows[WINDOWS][4096] __attribute__((aligned(4096)));
static char canaries[CANARIES][4096] __attribute__((aligned(4096)));
static uint64_t window_pte[WINDOWS];         /* machine address of each window's entry */
static uint64_t max_mfn;
static uint8_t own[MAX_MFN / 8];             /* the domain's frames at the start: the M2P will not say later */
/* Arguments lie at the end of a page, with nothing mapped behind it: a count that is too large reads no further. Each
 * entry of a multicall has its own. */
enum { SLOTS = 9, HALF = 512 };
static unsigned char slots[SLOTS][2][4096] __attribute__((aligned(4096)));
static unsigned char *buf0, *buf1;
static struct vcpu_guest_context context;

#define below(n) random_below(&rng, n)
#define one_in(n) (below(n) == 0)
#define wild_number() hostile_number(&rng)
#define wild_pointer() hostile_pointer(&rng)
#define number(good) (one_in(10) ? wild_number() : (uint64_t)(good))
#define pointer(good) (one_in(12) ? (void *)wild_pointer() : (good))

static uint64_t pool_mfn(void) { return virt_to_mfn(pool[below(POOL)]); }

/* A frame that is not the domain's: another domain's, Xen's, or none at all. */
static uint64_t foreign_mfn(void)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t mfn = below(max_mfn + 64);

        if (mfn >= MAX_MFN || !(own[mfn / 8] & 1u << mfn % 8))
            return mfn;
    }
    return max_mfn + wild_number();
}

/* A frame that can never be a page table. (A foreign one may have become the domain's by populate_physmap.) */
static uint64_t useless_mfn(void)
{
    return one_in(2) ? max_mfn + (wild_number() >> 13) : virt_to_mfn(canaries[below(CANARIES)]);
}

static uint64_t mfn(void) { return one_in(4) ? foreign_mfn() : pool_mfn(); }

static uint64_t entry(void)
{
    uint64_t flags = PTE_P | PTE_US | (one_in(2) ? PTE_RW : 0) | (one_in(3) ? PTE_A | PTE_D : 0) | (one_in(8) ? PTE_NX : 0);

    if (one_in(8))
        flags ^= 1ULL << below(12);
    if (one_in(20))
        flags |= 1ULL << (40 + below(24));
    return one_in(10) ? 0 : one_in(30) ? wild_number() : pte_make(one_in(12) ? virt_to_mfn(pt_root()) : mfn(), flags);
}

static domid_t domid(void)
{
    static const domid_t some[] = { 0, 1, 2, 3, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0x7fff, 0x8000, 0xffff };

    return one_in(8) ? some[below(ARRAY_SIZE(some))] : DOMID_SELF;
}

/* Ports 1 and 2 are the console's and xenstore's. */
static uint32_t port(void)
{
    return one_in(10) ? (uint32_t)wild_number() | 4 : 3 + (uint32_t)below(20);
}

/* ---- one builder a hypercall: fills args[], says which number to call ---- */
typedef void builder(unsigned long *a);

static void b_mmu_update(unsigned long *a)
{
    struct mmu_update *u = (struct mmu_update *)buf0;
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        u[i].ptr = one_in(2) ? window_pte[below(WINDOWS)] : mfn() << PAGE_SHIFT | below(512) * 8;
        u[i].ptr |= one_in(4) ? below(4) : 0;
        u[i].val = (u[i].ptr & 3) == MMU_MACHPHYS_UPDATE ? wild_number() : entry();
    }
    a[0] = (unsigned long)pointer(u);
    a[1] = one_in(20) ? wild_number() : n;
    a[2] = (unsigned long)(one_in(2) ? NULL : pointer(buf1));
    a[3] = one_in(8) ? domid() | (domid() << 16) : DOMID_SELF;
}

static void b_mmuext_op(unsigned long *a)
{
    struct mmuext_op *op = (struct mmuext_op *)buf0;
    unsigned n = 1 + (unsigned)below(3);

    for (unsigned i = 0; i < n; i++) {
        op[i].cmd = (uint32_t)number(below(21));
        op[i].arg1.mfn = op[i].cmd == MMUEXT_NEW_BASEPTR ? useless_mfn() : mfn();
        op[i].arg2.src_mfn = mfn();
        switch (op[i].cmd) {
        case MMUEXT_INVLPG_LOCAL: case MMUEXT_INVLPG_ALL: case MMUEXT_INVLPG_MULTI:
            op[i].arg1.linear_addr = one_in(2) ? wild_pointer() : (unsigned long)windows;
            set_xen_guest_handle(op[i].arg2.vcpumask, pointer(buf1));
            break;
        case MMUEXT_TLB_FLUSH_MULTI:
            set_xen_guest_handle(op[i].arg2.vcpumask, pointer(buf1));
            break;
        case MMUEXT_SET_LDT:
            op[i].arg1.linear_addr = one_in(2) ? (unsigned long)pool[below(POOL)] : wild_pointer();
            op[i].arg2.nr_ents = (uint32_t)number(below(513));
            break;
        }
    }
    a[0] = (unsigned long)pointer(op);
    a[1] = one_in(20) ? wild_number() : n;
    a[2] = (unsigned long)(one_in(2) ? NULL : pointer(buf1));
    a[3] = domid();
}

static void b_update_va_mapping(unsigned long *a)
{
    a[0] = one_in(4) ? wild_pointer() : (unsigned long)windows[below(WINDOWS)];
    a[1] = entry();
    a[2] = one_in(4) ? wild_pointer() : number(below(8));
    a[3] = domid();
}

static void b_set_gdt(unsigned long *a)
{
    unsigned long *frames = (unsigned long *)buf0;

    for (unsigned i = 0; i < 16; i++)
        frames[i] = mfn();
    a[0] = (unsigned long)pointer(frames);
    a[1] = number(below(2) * 512 + below(20));
}

static uint64_t descriptor(void)
{
    static const uint64_t some[] = { 0x00cff3000000ffff, 0x00affb000000ffff, 0x000082000000ffff, 0x0000ee0000330000,
                                     0x0000ec000033abcd, 0 };

    return one_in(4) ? random_next(&rng) : some[below(ARRAY_SIZE(some))] ^ (one_in(3) ? 1ULL << below(64) : 0);
}

static void b_update_descriptor(unsigned long *a)
{
    a[0] = mfn() << PAGE_SHIFT | (below(512) * 8 + (one_in(20) ? 4 : 0));
    a[1] = descriptor();
}

static void b_set_trap_table(unsigned long *a)
{
    struct trap_info *t = (struct trap_info *)buf0;
    unsigned n = (unsigned)below(6);

    for (unsigned i = 0; i < n; i++) {
        t[i].vector = (uint8_t)(0x20 + below(0xe0));
        t[i].flags = (uint8_t)below(256);
        t[i].cs = (uint16_t)number(FLAT_KERNEL_CS);
        t[i].address = one_in(3) ? wild_pointer() : (unsigned long)trap_event;
    }
    a[0] = (unsigned long)pointer(t);
    a[0] = a[0] ? a[0] : 1;                   /* null would clear the whole table */
}

static void b_set_callbacks(unsigned long *a)
{
    a[0] = one_in(3) ? 0x0000800000000000 : (unsigned long)trap_event;
    a[1] = one_in(3) ? 0x8000000000000000 : (unsigned long)trap_failsafe;
    a[2] = one_in(3) ? 0x0000800000000000 : (unsigned long)trap_syscall;
}

static void b_callback_op(unsigned long *a)
{
    struct callback_register *r = (struct callback_register *)buf0;

    r->type = (uint16_t)number(below(9));
    r->flags = (uint16_t)number(below(2));
    r->address = one_in(3) ? 0x0000800000000000 : (unsigned long)trap_nmi;
    a[0] = one_in(3) ? CALLBACKOP_register : number(below(4));
    a[1] = (unsigned long)pointer(r);
    if (r->type == CALLBACKTYPE_event)
        r->address = (unsigned long)trap_event;
}

static void b_stack_switch(unsigned long *a)
{
    a[0] = number(FLAT_KERNEL_SS);
    a[1] = wild_pointer();
}

static void b_fpu_taskswitch(unsigned long *a) { a[0] = wild_number(); }
static void b_set_timer_op(unsigned long *a) { a[0] = one_in(2) ? clock_ns() + below(100000) : wild_number(); }
static void b_get_debugreg(unsigned long *a) { a[0] = number(below(9)); }

static void b_set_debugreg(unsigned long *a)
{
    a[0] = number(below(9));
    a[1] = a[0] == 7 ? wild_number() & ~0xffUL : one_in(2) ? wild_pointer() : random_next(&rng);
}

static void b_set_segment_base(unsigned long *a)
{
    a[0] = number(below(4));
    a[1] = a[0] == SEGBASE_GS_USER_SEL ? number(below(0x10000)) : one_in(2) ? wild_pointer() : random_next(&rng);
}

static void b_vm_assist(unsigned long *a)
{
    a[0] = number(below(3));
    a[1] = number(below(6));
}

static void b_memory_op(unsigned long *a)
{
    struct xen_memory_reservation *r = (struct xen_memory_reservation *)buf0;
    xen_pfn_t *list = (xen_pfn_t *)buf1;
    static const uint8_t reservations[] = { 0, 1, 6, 11 };

    a[0] = one_in(2) ? reservations[below(4)] : number(below(29));
    for (unsigned i = 0; i < 16; i++)
        list[i] = a[0] == XENMEM_populate_physmap ? 0x4000 + below(64) : one_in(2) ? foreign_mfn() : loose[below(LOOSE)];
    for (unsigned i = 0; i < 2; i++) {        /* the second is the `out` of an exchange */
        set_xen_guest_handle(r[i].extent_start, pointer(list + 8 * i));
        r[i].nr_extents = number(below(5));
        r[i].extent_order = (uint32_t)number(one_in(4) ? below(4) : 0);
        r[i].mem_flags = (uint32_t)(one_in(4) ? wild_number() : 0);
        r[i].domid = domid();
    }
    if (a[0] == XENMEM_add_to_physmap || one_in(10))
        for (unsigned i = 0; i < 8; i++)
            ((uint64_t *)buf0)[i] = one_in(2) ? below(8) : wild_number();
    if (a[0] == XENMEM_current_reservation || a[0] == XENMEM_maximum_reservation)
        *(domid_t *)buf0 = domid();
    a[0] |= one_in(40) ? below(1 << 20) << MEMOP_EXTENT_SHIFT : 0;
    a[1] = (unsigned long)pointer(buf0);
}

static void b_event_channel_op(unsigned long *a)
{
    uint32_t *w = (uint32_t *)buf0;

    a[0] = number(below(14));
    a[1] = (unsigned long)pointer(buf0);
    switch (a[0]) {
    case EVTCHNOP_bind_interdomain:
        w[0] = domid();
        w[1] = port();
        break;
    case EVTCHNOP_alloc_unbound:
        w[0] = domid() | (uint32_t)domid() << 16;
        break;
    case EVTCHNOP_bind_virq:
        w[0] = (uint32_t)number(below(24));
        w[1] = (uint32_t)number(below(3));
        break;
    case EVTCHNOP_status:
        w[0] = domid();
        w[1] = port();
        break;
    case EVTCHNOP_bind_ipi:
        w[0] = (uint32_t)number(below(3));
        break;
    case EVTCHNOP_reset:
        w[0] = (uint32_t)(1 + below(3)) == 1 ? 0 : 2;     /* never itself: the console's port would go */
        break;
    case EVTCHNOP_init_control:
        *(uint64_t *)w = mfn();
        w[2] = (uint32_t)number(below(512) * 8);
        w[3] = (uint32_t)number(below(3));
        break;
    case EVTCHNOP_expand_array:
        *(uint64_t *)w = mfn();
        break;
    default:                                  /* close, send, bind_vcpu, unmask, set_priority */
        w[0] = port();
        w[1] = (uint32_t)number(below(16));
        break;
    }
}

static void b_grant_table_op(unsigned long *a)
{
    unsigned n = 1 + (unsigned)below(2);

    a[0] = number(below(13));
    a[1] = (unsigned long)pointer(buf0);
    a[2] = one_in(20) ? wild_number() : n;
    for (unsigned i = 0; i < 2; i++) {
        struct gnttab_map_grant_ref *map = (struct gnttab_map_grant_ref *)buf0 + i;
        struct gnttab_unmap_grant_ref *unmap = (struct gnttab_unmap_grant_ref *)buf0 + i;
        struct gnttab_copy *copy = (struct gnttab_copy *)buf0 + i;
        bool by_pte = one_in(3);

        switch (a[0]) {
        case GNTTABOP_map_grant_ref:
            map->flags = (uint32_t)number(GNTMAP_host_map | below(32));
            map->flags = by_pte ? map->flags | GNTMAP_contains_pte : map->flags & ~(uint32_t)GNTMAP_contains_pte;
            map->host_addr = by_pte ? window_pte[below(WINDOWS)] : number((uint64_t)windows[below(WINDOWS)]);
            map->ref = (uint32_t)number(below(40));
            map->dom = (domid_t)number(1);
            break;
        case GNTTABOP_unmap_grant_ref:
        case GNTTABOP_unmap_and_replace:
            unmap->host_addr = by_pte ? window_pte[below(WINDOWS)] : (uint64_t)windows[below(WINDOWS)];
            unmap->dev_bus_addr = one_in(4) ? wild_number() : one_in(2) ? (uint64_t)windows[below(WINDOWS)] : 0;
            unmap->handle = (uint32_t)number(below(8));
            break;
        case GNTTABOP_copy:
            copy->source.u.gmfn = one_in(2) ? below(40) : mfn();
            copy->dest.u.gmfn = one_in(2) ? below(40) : mfn();
            copy->flags = (uint16_t)below(4);
            copy->source.domid = copy->flags & GNTCOPY_source_gref ? (domid_t)number(1) : domid();
            copy->dest.domid = copy->flags & GNTCOPY_dest_gref ? (domid_t)number(1) : domid();
            copy->source.offset = (uint16_t)number(below(4096));
            copy->dest.offset = (uint16_t)number(below(4096));
            copy->len = (uint16_t)number(below(300));
            break;
        case GNTTABOP_setup_table:
        case GNTTABOP_get_status_frames: {
            struct gnttab_setup_table *setup = (struct gnttab_setup_table *)buf0;

            setup->dom = domid();
            setup->nr_frames = (uint32_t)number(below(4));
            set_xen_guest_handle(setup->frame_list, pointer(buf1));
            a[2] = one_in(10) ? a[2] : 1;
            break;
        }
        default:
            ((uint32_t *)buf0)[8 * i] = one_in(2) ? domid() : (uint32_t)number(below(3));
            ((uint32_t *)buf0)[8 * i + 1] = (uint32_t)number(below(40));
            break;
        }
    }
}

static void b_vcpu_op(unsigned long *a)
{
    uint64_t *w = (uint64_t *)buf0;

    a[0] = number(below(14));
    a[1] = number(below(2));
    if (!(uint32_t)a[1])                      /* the number is 32 bits wide */
        a[1] = 0;
    a[2] = (unsigned long)pointer(buf0);
    w[0] = one_in(2) ? wild_number() : (uint64_t)buf1;
    w[1] = below(3);
    if (a[0] == VCPUOP_down || a[0] == VCPUOP_up)
        a[1] = (uint32_t)a[1] < 2 ? (a[0] == VCPUOP_up ? 0 : 9) : a[1];
    if (a[0] == VCPUOP_register_vcpu_info) {
        w[0] = a[1] == 0 ? max_mfn + wild_number() : mfn();
        w[1] = number(below(60) * 64);
    }
    if (a[0] == VCPUOP_initialise) {
        vcpu_context(&context, 1, NULL, NULL);
        if (one_in(2))
            context.ctrlreg[one_in(2) ? 3 : 1] = mfn() << PAGE_SHIFT | (one_in(8) ? wild_number() : 0);
        if (one_in(2))
            context.gdt_ents = number(below(600));
        if (one_in(2))
            context.flags = wild_number() & ~(unsigned long)VGCF_online;
        if (one_in(2))
            *(one_in(2) ? &context.gs_base_kernel : &context.fs_base) = wild_pointer();
        if (one_in(4))
            context.ldt_ents = wild_number();
        for (unsigned i = 0; i < 16; i++)
            context.gdt_frames[i] = mfn();
        a[2] = (unsigned long)pointer(&context);
    }
}

static void b_sched_op(unsigned long *a)
{
    struct sched_poll *poll = (struct sched_poll *)buf0;
    static const uint8_t commands[] = { SCHEDOP_yield, SCHEDOP_poll, SCHEDOP_poll, SCHEDOP_remote_shutdown,
                                        SCHEDOP_watchdog, SCHEDOP_pin_override, 8, 99 };

    a[0] = commands[below(ARRAY_SIZE(commands))];
    /* Never zeros that happen to be somewhere: a watchdog would start, a poll never end. */
    a[1] = one_in(12) ? 0x1000 : (unsigned long)poll;
    if (a[0] == SCHEDOP_poll) {
        set_xen_guest_handle(poll->ports, pointer(buf1));
        poll->nr_ports = (uint32_t)number(below(4));
        poll->timeout = 1 + (one_in(2) ? clock_ns() + below(100000) : 0);
        for (unsigned i = 0; i < 4; i++)
            ((uint32_t *)buf1)[i] = port();
    } else {
        ((uint32_t *)buf0)[0] = a[0] == SCHEDOP_watchdog ? (uint32_t)(7 + below(90)) : (uint32_t)wild_number();
        ((uint32_t *)buf0)[1] = (uint32_t)wild_number();
    }
}

static void b_physdev_op(unsigned long *a)
{
    a[0] = number(below(32));
    a[1] = (unsigned long)pointer(buf0);
    ((uint64_t *)buf0)[0] = one_in(2) ? wild_pointer() : below(5);
    ((uint64_t *)buf0)[1] = wild_number();
    if (a[0] == PHYSDEVOP_set_iobitmap)
        ((uint64_t *)buf0)[1] = number(below(65538));
}

/* Command and pointer: xen_version, console_io, nmi_op and everything that is refused. */
static void b_command(unsigned long *a)
{
    a[0] = number(below(14));
    a[1] = (unsigned long)pointer(buf0);
    for (unsigned i = 2; i < 5; i++)
        a[i] = one_in(2) ? wild_number() : (unsigned long)buf1;
    for (unsigned i = 0; i < 8; i++)
        ((uint64_t *)buf0)[i] = one_in(2) ? below(8) : wild_number();
}

static void b_console_io(unsigned long *a)
{
    a[0] = number(1 + below(3));
    a[1] = number(0);
    a[2] = wild_pointer();
}

static void b_nmi_op(unsigned long *a)
{
    struct xennmi_callback *c = (struct xennmi_callback *)buf0;

    c->handler_address = one_in(3) ? 0x0000800000000000 : (unsigned long)trap_nmi;
    a[0] = number(below(3));
    a[1] = (unsigned long)pointer(c);
}

static void b_multicall(unsigned long *a);

static const struct {
    unsigned number;
    builder *build;
} table[] = {
    { __HYPERVISOR_mmu_update, b_mmu_update }, { __HYPERVISOR_mmuext_op, b_mmuext_op },
    { __HYPERVISOR_update_va_mapping, b_update_va_mapping },
    { __HYPERVISOR_update_va_mapping_otherdomain, b_update_va_mapping },
    { __HYPERVISOR_grant_table_op, b_grant_table_op }, { __HYPERVISOR_event_channel_op, b_event_channel_op },
    { __HYPERVISOR_memory_op, b_memory_op }, { __HYPERVISOR_multicall, b_multicall },
    { __HYPERVISOR_mmu_update, b_mmu_update }, { __HYPERVISOR_mmuext_op, b_mmuext_op },
    { __HYPERVISOR_grant_table_op, b_grant_table_op }, { __HYPERVISOR_event_channel_op, b_event_channel_op },
    { __HYPERVISOR_set_gdt, b_set_gdt }, { __HYPERVISOR_update_descriptor, b_update_descriptor },
    { __HYPERVISOR_set_trap_table, b_set_trap_table }, { __HYPERVISOR_set_callbacks, b_set_callbacks },
    { __HYPERVISOR_callback_op, b_callback_op }, { __HYPERVISOR_stack_switch, b_stack_switch },
    { __HYPERVISOR_fpu_taskswitch, b_fpu_taskswitch }, { __HYPERVISOR_set_timer_op, b_set_timer_op },
    { __HYPERVISOR_set_debugreg, b_set_debugreg }, { __HYPERVISOR_get_debugreg, b_get_debugreg },
    { __HYPERVISOR_set_segment_base, b_set_segment_base }, { __HYPERVISOR_vm_assist, b_vm_assist },
    { __HYPERVISOR_vcpu_op, b_vcpu_op }, { __HYPERVISOR_sched_op, b_sched_op },
    { __HYPERVISOR_physdev_op, b_physdev_op }, { __HYPERVISOR_xen_version, b_command },
    { __HYPERVISOR_console_io, b_console_io }, { __HYPERVISOR_nmi_op, b_nmi_op },
    { __HYPERVISOR_platform_op, b_command }, { __HYPERVISOR_hvm_op, b_command }, { __HYPERVISOR_domctl, b_command },
    { __HYPERVISOR_sysctl, b_command }, { __HYPERVISOR_kexec_op, b_command }, { __HYPERVISOR_xsm_op, b_command },
    { __HYPERVISOR_tmem_op, b_command }, { __HYPERVISOR_argo_op, b_command }, { __HYPERVISOR_xenpmu_op, b_command },
    { __HYPERVISOR_dm_op, b_command }, { __HYPERVISOR_hypfs_op, b_command }, { __HYPERVISOR_mca, b_command },
    { __HYPERVISOR_xenoprof_op, b_command }, { __HYPERVISOR_paging_domctl_cont, b_command },
};

static void use_slot_again(unsigned i)
{
    buf0 = slots[i][0] + 4096 - 2 * HALF;
    buf1 = slots[i][0] + 4096 - HALF;
}

static void use_slot(unsigned i)
{
    uint64_t *words;

    use_slot_again(i);
    words = (uint64_t *)buf0;
    for (unsigned k = 0; k < HALF / 8; k++) {
        words[k] = 0;
        words[HALF / 8 + k] = ~0ULL;
    }
}

static void b_multicall(unsigned long *a)
{
    struct multicall_entry *list = (struct multicall_entry *)buf0;
    unsigned n = (unsigned)below(SLOTS - 1);

    for (unsigned i = 0; i < n; i++) {
        unsigned pick = (unsigned)below(ARRAY_SIZE(table));
        unsigned long args[6] = { 0 };

        use_slot(i + 1);
        if (table[pick].build != b_multicall)
            table[pick].build(args);
        memcpy(list[i].args, args, sizeof(args));
        list[i].op = one_in(20) ? 64 + wild_number() : table[pick].number;
    }
    use_slot_again(0);
    a[0] = (unsigned long)pointer(list);
    a[1] = one_in(20) ? wild_number() >> 44 : n;
}

static bool on_nmi(struct regs *regs)
{
    (void)regs;
    return true;
}

static void reset(void)
{
    traps_init();
    hcall(set_debugreg, 7, 0);
    hcall(fpu_taskswitch, 0);
    events_disable();
}

static void prepare(void)
{
    max_mfn = (uint64_t)hcall(memory_op, XENMEM_maximum_ram_page, 0);
    for (uint64_t pfn = 0; pfn < guest_start_info()->nr_pages; pfn++)
        if (pfn_to_mfn(pfn) < MAX_MFN)
            own[pfn_to_mfn(pfn) / 8] |= (uint8_t)(1u << pfn_to_mfn(pfn) % 8);
    for (unsigned i = 0; i < POOL; i++)
        pool[i] = page_alloc();
    for (unsigned i = 0; i < LOOSE; i++)
        loose[i] = pfn_to_mfn(pfn_alloc());
    for (unsigned i = 0; i < WINDOWS; i++)
        window_pte[i] = pt_machine(pt_entry(windows[i], 1));
    for (unsigned i = 0; i < SLOTS; i++)
        require_eq(pt_set(slots[i][1], 0), 0);
    grants_setup_v1(1);
    for (uint32_t ref = 8; ref < 40; ref++)
        grant_v1(ref, 1, mfn(), (uint16_t)(1 + below(8)));
    /* Half of the pool starts read-only, some of it as page tables. */
    for (unsigned i = 0; i < POOL / 2; i++) {
        require_eq(page_readonly(pool[i]), 0);
        if (i < 8)
            require_eq(pt_ext(MMUEXT_PIN_L1_TABLE + i % 4, virt_to_mfn(pool[i])), 0);
    }
    for (unsigned i = 0; i < CANARIES; i++)
        memset(canaries[i], (int)(0xc0 + i), 4096);
    trap_set_handler(X86_EXC_NMI, on_nmi);
}

void test_main(void)
{
    static unsigned good[64], bad[64];
    uint64_t count = guest_option("count", 3000), only = guest_option("only", ~0ULL), done = 0;

    rng.state = guest_option("seed", 1);
    prepare();
    reset();
    while (done < count) {
        unsigned long a[6] = { 0 };
        unsigned pick = (unsigned)below(ARRAY_SIZE(table));
        unsigned nr = table[pick].number;

        if (only != ~0ULL && nr != only)
            continue;
        use_slot(0);
        table[pick].build(a);
        long rc = one_in(200) ? hcall_number(64 + wild_number() % 1000000, a[0], a[1], a[2], a[3], a[4])
                              : hcall_number(nr, a[0], a[1], a[2], a[3], a[4]);
        (rc < 0 ? bad : good)[nr]++;
        if (rc < -200 && nr != __HYPERVISOR_get_debugreg && nr != __HYPERVISOR_xen_version)
            printf("hypercall %u gave %ld\n", nr, rc);
        if (++done % 256 == 0)
            reset();
    }
    reset();
    for (unsigned nr = 0; nr < 64; nr++)
        if (good[nr] + bad[nr])
            printf("hypercall %2u: %6u done, %6u refused\n", nr, good[nr], bad[nr]);
    for (unsigned i = 0; i < CANARIES; i++)
        for (unsigned k = 0; k < 4096; k++)
            require_eq((unsigned char)canaries[i][k], 0xc0 + i);
    check_eq(hcall(xen_version, XENVER_version, 0) >> 16, 4);
}
