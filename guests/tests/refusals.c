/* @title  rare refusals
 * @fact   page tables, event channels, debug registers and watchdogs refuse what no other test comes to
 * @source xen/arch/x86/mm.c, traps.c; xen/common/event_channel.c, sched/core.c
 * @env    pv64
 */
#include <guest.h>

static char window[4096] __attribute__((aligned(4096)));

static void page_tables(void)
{
    pte_t *entry = pt_entry(window, 1), *l2 = pt_entry(window, 2);
    uint64_t root = virt_to_mfn(pt_root());
    struct mmu_update update = { pt_machine(l2) | MMU_NORMAL_PT_UPDATE, *l2 };

    /* The frame number that means none. */
    check_eq(pt_write(entry, PTE_FRAME | PTE_P | PTE_US), -XEN_EINVAL);

    /* Only an L1 may map what is not the domain's. */
    check_eq(hcall(mmu_update, &update, 1, NULL, DOMID_IO), -XEN_EINVAL);

    /* Through a recursive entry the "L1" of an address is another table. */
    check_eq(pt_write(&pt_root()[300], pte_make(root, PTE_P | PTE_US | PTE_A)), 0);
    unsigned long top = (unsigned long)VIRT_BASE >> 39 & 511;
    unsigned long address = 0xffff000000000000 | 300UL << 39 | 300UL << 30 | top << 21 | 3UL << 12;

    check_eq(hcall(update_va_mapping, address, 0, UVMF_NONE), -XEN_EINVAL);
    check_eq(pt_write(&pt_root()[300], 0), 0);
}

static void ports(void)
{
    long port = 0;
    unsigned n = 0;

    for (; n < 5000; n++) {
        port = event_alloc_unbound(DOMID_SELF);
        if (port < 0)
            break;
    }
    check_eq(port, -XEN_ENOSPC);
    check(n > 4000 && n < EVTCHN_2L_NR_CHANNELS);
    check_eq(event_close(100), 0);
    check_eq(event_alloc_unbound(DOMID_SELF), 100);
}

static void watchdogs(void)
{
    struct sched_watchdog w = { .id = 0, .timeout = 1000 };
    long id[2];

    for (unsigned i = 0; i < 2; i++) {
        id[i] = hcall(sched_op, SCHEDOP_watchdog, &w);
        check_eq(id[i], i + 1);
    }
    check_eq(hcall(sched_op, SCHEDOP_watchdog, &w), -XEN_ENOSPC);
    w.timeout = 0;
    for (unsigned i = 0; i < 2; i++) {
        w.id = (uint32_t)id[i];
        check_eq(hcall(sched_op, SCHEDOP_watchdog, &w), 0);
        check_eq(hcall(sched_op, SCHEDOP_watchdog, &w), -XEN_EINVAL);     /* it has stopped */
    }
    w.id = 3;
    check_eq(hcall(sched_op, SCHEDOP_watchdog, &w), -XEN_EINVAL);
}

void test_main(void)
{
    page_tables();
    ports();
    watchdogs();
    /* An I/O breakpoint needs CR4.DE. */
    check_eq(hcall(set_debugreg, 7, 1UL | 2UL << 16), -XEN_EPERM);
}
