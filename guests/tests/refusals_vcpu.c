/* @title  rare refusals of vcpu_op
 * @fact   a vcpu beyond shared_info needs its vcpu_info first; contexts with impossible tables or selectors, and moving
 *         the vcpu_info of a running vcpu, are refused
 * @source xen/include/public/vcpu.h, xen/arch/x86/domain.c (arch_set_info_guest), xen/common/domain.c
 * @env    pv64
 * @vcpus  34
 */
#include <guest.h>

static struct vcpu_guest_context context;
static volatile unsigned running, stop;

static void spin(void *unused)
{
    (void)unused;
    running = 1;
    while (!stop)
        hcall(sched_op, SCHEDOP_yield, 0);
}

static long initialise(unsigned vcpu)
{
    return hcall(vcpu_op, VCPUOP_initialise, vcpu, &context);
}

void test_main(void)
{
    struct vcpu_register_vcpu_info info = { .mfn = virt_to_mfn(page_alloc()) };

    vcpu_context(&context, 1, spin, NULL);
    check_eq(initialise(33), -XEN_EINVAL);
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 33, &info), 0);
    check_eq(initialise(33), 0);

    context.ldt_base = 0x1008;
    context.ldt_ents = 1;
    check_eq(initialise(1), -XEN_EINVAL);
    context.ldt_base = 0x1000;
    context.ldt_ents = 8193;
    check_eq(initialise(1), -XEN_EINVAL);
    context.ldt_base = context.ldt_ents = 0;
    context.trap_ctxt[3].address = 0x8000000000000000;
    check_eq(initialise(1), -XEN_EINVAL);
    vcpu_context(&context, 1, spin, NULL);
    context.user_regs.cs = 0x3b;                       /* no such descriptor */
    check_eq(initialise(1), -XEN_EINVAL);
    vcpu_context(&context, 1, spin, NULL);
    context.flags = 0;                                 /* user mode, without a user page table */
    check_eq(initialise(1), -XEN_EINVAL);

    require_eq(vcpu_start(1, spin, NULL), 0);
    require(wait_while(&running, 0, 100000));
    check_eq(hcall(vcpu_op, VCPUOP_register_vcpu_info, 1, &info), -XEN_EINVAL);
    stop = 1;
    for (unsigned n = 0; hcall(vcpu_op, VCPUOP_is_up, 1, 0) && n < 100000; n++)
        hcall(sched_op, SCHEDOP_yield, 0);
    check_eq(hcall(vcpu_op, VCPUOP_is_up, 1, 0), 0);
}
