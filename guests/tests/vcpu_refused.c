/* @title  vcpu contexts refused
 * @fact   VCPUOP_initialise checks every address, table and selector; a refused vcpu can still be started; a vcpu beyond
 *         the 32 of shared_info needs a vcpu_info of its own first
 * @source xen/arch/x86/domain.c (arch_set_info_guest), xen/common/domain.c
 * @env    pv64
 * @vcpus  33
 */
#include <guest.h>

static struct vcpu_guest_context context;
static volatile unsigned alive;

static void secondary(void *arg)
{
    (void)arg;
    alive = 1;
    hcall(vcpu_op, VCPUOP_down, 1, 0);
}

static struct vcpu_guest_context *fresh(void)
{
    vcpu_context(&context, 1, secondary, NULL);
    return &context;
}

/* The context with one field changed is refused. */
#define refused(field, value) \
    do { \
        fresh()->field = (value); \
        check_eq(hcall(vcpu_op, VCPUOP_initialise, 1, &context), -XEN_EINVAL); \
    } while (0)

static long info(unsigned vcpu, uint64_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info op = { .mfn = mfn, .offset = offset };

    return hcall(vcpu_op, VCPUOP_register_vcpu_info, vcpu, &op);
}

void test_main(void)
{
    enum { UNCANONICAL = 0x7fff }; /* in the top 16 bits, with bit 47 clear */
    const uint64_t wild = (uint64_t)UNCANONICAL << 48;
    uint64_t page = virt_to_mfn(page_alloc());

    refused(user_regs.rip, wild);
    refused(user_regs.rsp, wild);
    refused(kernel_sp, wild);
    refused(fs_base, wild);
    refused(gs_base_kernel, wild);
    refused(gs_base_user, wild);
    refused(event_callback_eip, wild);
    refused(failsafe_callback_eip, wild);
    refused(syscall_callback_eip, wild);
    refused(trap_ctxt[3].address, wild);
    refused(ldt_base, 0x1001);
    refused(ldt_ents, 8193);
    refused(flags, 0);                   /* user mode, without a user page table */
    refused(gdt_ents, 14 * 512 + 1);
    fresh()->gdt_ents = 1;
    context.gdt_frames[0] = 1ull << 40;
    check_eq(hcall(vcpu_op, VCPUOP_initialise, 1, &context), -XEN_EINVAL);
    refused(ctrlreg[3], 1ull << 51);
    refused(ctrlreg[1], 1ull << 51);
    refused(user_regs.cs, 3);
    check_eq(hcall(vcpu_op, VCPUOP_is_up, 1, 0), 0);

    /* Its vcpu_info may be moved while it is down, once. */
    check_eq(info(1, page, 4096 - 8), -XEN_ENXIO);
    check_eq(info(1, page, 4), -XEN_ENXIO);
    check_eq(info(1, 1ull << 40, 0), -XEN_EINVAL);
    fresh()->flags |= VGCF_online;
    check_eq(hcall(vcpu_op, VCPUOP_initialise, 1, &context), 0);
    check_eq(hcall(vcpu_op, VCPUOP_is_up, 1, 0), 1);
    check_eq(info(1, page, 0), -XEN_EINVAL);                         /* it is up now */
    for (unsigned n = 0; !alive && n < 100000; n++)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(alive, 1);
    for (unsigned n = 0; hcall(vcpu_op, VCPUOP_is_up, 1, 0) && n < 100000; n++)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(info(1, page, 0), 0);
    check_eq(info(1, page, 64), -XEN_EINVAL);

    fresh();
    check_eq(hcall(vcpu_op, VCPUOP_initialise, 32, &context), -XEN_EINVAL);
    check_eq(info(32, page, 64), 0);
}
