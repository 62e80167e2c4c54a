/* arm.c (ARM) - from the first C function to test_main(). */
#include <guest.h>

extern char percpu_areas[];
static const void *tree;
static const char *cmdline = "";

struct percpu *cpu_area(unsigned id)
{
    return (struct percpu *)(percpu_areas + id * (unsigned long)PERCPU_SIZE);
}

const void *guest_device_tree(void)
{
    return tree;
}

const char *guest_cmdline(void)
{
    return cmdline;
}

uint64_t guest_pages(void)
{
    return (fdt_cells(tree, "/memory@40000000", "reg", 2) + fdt_cells(tree, "/memory@200000000", "reg", 2)) >> PAGE_SHIFT;
}

static void upcall(unsigned interrupt)
{
    (void)interrupt;
    events_upcall();
}

void guest_start(const void *device_tree)
{
    uint32_t length = 0;

    tree = device_tree;
    if (*(const uint32_t *)tree != __builtin_bswap32(FDT_MAGIC))
        broken("the domain has no device tree");
    const char *bootargs = fdt_property(tree, "/chosen", "bootargs", &length);

    if (bootargs && length)
        cmdline = bootargs;
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        cpu_area(i)->id = i;
        cpu_area(i)->info = &cpu_area(i)->own_info;
    }
    this_cpu()->info = &guest_shared_info()->vcpu_info[0];
    params_console();
    params_shared_info();
    gic_init(tree);
    gic_init_cpu();
    interrupt_watch(GUEST_EVTCHN_PPI, upcall);
    gic_enable(GUEST_EVTCHN_PPI);
    test_main();
    verdict_end(VERDICT_SUCCESS);
}
