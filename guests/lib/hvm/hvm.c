/* hvm.c (HVM) - from the first C function to test_main(). */
#include <guest.h>
#include <abi/memory.h>
#include <abi/multiboot.h>

enum { MSR_HYPERCALL_PAGE = 0x40000000 };
extern char percpu_areas[];
static struct hvm_start_info *start;
static const struct multiboot_info *multiboot;
#ifdef GUEST_MULTIBOOT
extern uint32_t multiboot_magic;                /* start.S: eax */
#endif
static const char *cmdline = "";
static char shared_info_page[4096] __attribute__((aligned(4096)));

struct percpu *cpu_area(unsigned id)
{
    return (struct percpu *)(percpu_areas + id * (unsigned long)PERCPU_SIZE);
}

struct hvm_start_info *guest_start_info(void)
{
    return start;
}

const struct multiboot_info *guest_multiboot(void)
{
    return multiboot;
}

const char *guest_cmdline(void)
{
    return cmdline;
}

struct shared_info *guest_shared_info(void)
{
    return (struct shared_info *)shared_info_page;
}

long hvm_get_param(unsigned index, uint64_t *value)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };
    long rc = hcall(hvm_op, HVMOP_get_param, &param);

    *value = param.value;
    return rc;
}

long hvm_set_param(unsigned index, uint64_t value)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index, .value = value };

    return hcall(hvm_op, HVMOP_set_param, &param);
}

long physmap_add(unsigned space, unsigned long index, void *page)
{
    struct xen_add_to_physmap op = { .domid = DOMID_SELF, .space = space, .idx = index, .gpfn = virt_to_mfn(page) };

    return hcall(memory_op, XENMEM_add_to_physmap, &op);
}

void map_grant_frame(void *page, unsigned index, uint64_t mfn)
{
    if (physmap_add(XENMAPSPACE_grant_table, index, page))
        broken("frame %u of the grant table cannot be mapped", index);
}

struct xenstore_domain_interface *guest_store(uint32_t *port)
{
    uint64_t gfn = 0, number = 0;

    if (hvm_get_param(HVM_PARAM_STORE_PFN, &gfn) || hvm_get_param(HVM_PARAM_STORE_EVTCHN, &number))
        return NULL;
    *port = (uint32_t)number;
    return gfn ? (struct xenstore_domain_interface *)(unsigned long)(gfn << PAGE_SHIFT) : NULL;
}

static void upcall(unsigned vector)
{
    (void)vector;
    events_upcall();
}

static void console_start(void)
{
    uint64_t gfn = 0, port = 0;

    if (hvm_get_param(HVM_PARAM_CONSOLE_PFN, &gfn) || hvm_get_param(HVM_PARAM_CONSOLE_EVTCHN, &port))
        broken("the domain has no console");
    if (strstr(guest_cmdline(), "console=io") == NULL)
        console_init((struct xencons_interface *)(unsigned long)(gfn << PAGE_SHIFT), (uint32_t)port);
}

void guest_start(struct hvm_start_info *the_start)
{
#ifdef GUEST_MULTIBOOT
    if (multiboot_magic != MULTIBOOT_BOOTED_MAGIC)
        broken("it was not booted as a Multiboot kernel");
    multiboot = (const struct multiboot_info *)(void *)the_start;
#else
    start = the_start;
#endif
    if (multiboot)
        cmdline = (const char *)(unsigned long)multiboot->cmdline;
    else if (!start)
        cmdline = fw_cfg_cmdline();
    else if (start->cmdline_paddr)
        cmdline = (const char *)(unsigned long)start->cmdline_paddr;
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        cpu_area(i)->id = i;
        cpu_area(i)->info = &guest_shared_info()->vcpu_info[i];
    }
    traps_init();
    wrmsr(MSR_HYPERCALL_PAGE, (unsigned long)hypercall_page);
    console_start();
    if (physmap_add(XENMAPSPACE_shared_info, 0, shared_info_page))
        broken("shared_info cannot be mapped");
    apic_enable();
    interrupt_watch(EVENT_VECTOR, upcall);
    interrupt_without_eoi(EVENT_VECTOR);
    if (hvm_set_param(HVM_PARAM_CALLBACK_IRQ, (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | EVENT_VECTOR))
        broken("the callback vector was refused");
    test_main();
    verdict_end(VERDICT_SUCCESS);
}
