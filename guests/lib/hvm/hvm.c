/* hvm.c (HVM) - from the first C function to test_main(). */
#include <guest.h>
#include <abi/multiboot.h>

enum { MSR_HYPERCALL_PAGE = 0x40000000 };
extern char percpu_areas[];
static struct hvm_start_info *start;
static const struct multiboot_info *multiboot;
#ifdef GUEST_MULTIBOOT
extern uint32_t multiboot_magic;                /* start.S: eax */
#endif
static const char *cmdline = "";

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

static void upcall(unsigned vector)
{
    (void)vector;
    events_upcall();
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
    params_console();
    params_shared_info();
    apic_enable();
    interrupt_watch(EVENT_VECTOR, upcall);
    interrupt_without_eoi(EVENT_VECTOR);
    if (hvm_set_param(HVM_PARAM_CALLBACK_IRQ, (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | EVENT_VECTOR))
        broken("the callback vector was refused");
    test_main();
    verdict_end(VERDICT_SUCCESS);
}
