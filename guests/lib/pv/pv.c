/* pv.c (PV) - from the start_info page to test_main(). */
#include <guest.h>

extern char percpu_areas[];
static struct start_info *start;
static char cmdline[MAX_GUEST_CMDLINE + 1];
static char shared_info_page[4096] __attribute__((aligned(4096)));

struct percpu *cpu_area(unsigned id)
{
    return (struct percpu *)(percpu_areas + id * (unsigned long)PERCPU_SIZE);
}

struct start_info *guest_start_info(void)
{
    return start;
}

const char *guest_cmdline(void)
{
    return cmdline;
}

struct shared_info *guest_shared_info(void)
{
    return (struct shared_info *)shared_info_page;
}

struct xenstore_domain_interface *guest_store(uint32_t *port)
{
    *port = start->store_evtchn;
    return start->store_mfn ? pfn_to_virt(mfn_to_pfn(start->store_mfn)) : NULL;
}

void map_frame_at(void *page, uint64_t mfn)
{
    if (pt_set(page, pte_make(mfn, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)))
        broken("frame %lx cannot be mapped", mfn);
}

void guest_start(struct start_info *the_start)
{
    struct percpu *cpu = cpu_area(0);

    start = the_start;
    memory_init(start);
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        cpu_area(i)->id = i;
        cpu_area(i)->info = &guest_shared_info()->vcpu_info[i];
    }
    memcpy(cmdline, start->cmd_line, MAX_GUEST_CMDLINE);
    if (start->console.domU.mfn && strstr(cmdline, "console=io") == NULL)
        console_init(pfn_to_virt(mfn_to_pfn(start->console.domU.mfn)), start->console.domU.evtchn);
    map_frame_at(shared_info_page, start->shared_info >> PAGE_SHIFT);
    cpu->recover = NULL;
    traps_init();
    test_main();
    verdict_end(VERDICT_SUCCESS);
}
