/* call.c - hypercalls of HVM guests: VMCALL or VMMCALL, from ring 0 and real mode (others are answered EPERM), by the
 * register convention of the caller's mode.
 *
 * The hypercalls are those of PV without those that speak of what an HVM guest does not have: page
 * tables to be validated, trap tables, descriptor tables, segment bases. Of some, an HVM guest has a part of the
 * sub-operations (hv/hypercalls). Facts: xen/include/hypercall-defs.c, hvm_hypercall_page() in
 * xen/arch/x86/hvm/svm/svm.c of Xen 4.17.
 */
#include "hvm.h"

enum { VMCALL_BYTES = 3, STUB_BYTES = 32 };

/* Numbers that an HVM guest has. Others are ENOSYS. */
const uint8_t HVM_CALLS[NR_HYPERCALLS] = {
    [__HYPERVISOR_memory_op] = 1, [__HYPERVISOR_xen_version] = 1, [__HYPERVISOR_console_io] = 1,
    [__HYPERVISOR_grant_table_op] = 1, [__HYPERVISOR_vm_assist] = 1, [__HYPERVISOR_vcpu_op] = 1,
    [__HYPERVISOR_sched_op] = 1, [__HYPERVISOR_event_channel_op] = 1,
    [__HYPERVISOR_physdev_op] = 1, [__HYPERVISOR_hvm_op] = 1, [__HYPERVISOR_set_timer_op] = 1, [__HYPERVISOR_multicall] = 1,
    /* refused, but not as unknown */
    [__HYPERVISOR_platform_op] = 1, [__HYPERVISOR_sysctl] = 1, [__HYPERVISOR_domctl] = 1, [__HYPERVISOR_xenpmu_op] = 1,
    [__HYPERVISOR_dm_op] = 1, [__HYPERVISOR_hypfs_op] = 1, [__HYPERVISOR_paging_domctl_cont] = 1,
};

bool hvm_in_64bit(struct cpu *cpu)
{
    struct x86_segment_state cs;
    cpu_get_segment(cpu, SEG_CS, &cs);
    return cpu_efer(cpu) & EFER_LMA && cs.attributes & SEG_ATTR_L;
}

uint64_t hvm_code_address(struct cpu *cpu)
{
    uint64_t rip = cpu_gprs(cpu)->rip;
    return hvm_in_64bit(cpu) ? rip : (uint32_t)(rip + cpu_segment_base(cpu, SEG_CS));
}

static void arguments(const struct x86_gprs *g, bool wide, uint64_t args[6])
{
    const uint64_t of64[6] = {g->rdi, g->rsi, g->rdx, g->r10, g->r8, g->r9};
    const uint64_t of32[6] = {g->rbx, g->rcx, g->rdx, g->rsi, g->rdi, g->rbp};
    for (int i = 0; i < 6; i++)
        args[i] = wide ? of64[i] : (uint32_t)of32[i];
}

void hvm_hypercall_again(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *g = cpu_gprs(cpu);
    uint64_t *const of64[6] = {&g->rdi, &g->rsi, &g->rdx, &g->r10, &g->r8, &g->r9};
    uint64_t *const of32[6] = {&g->rbx, &g->rcx, &g->rdx, &g->rsi, &g->rdi, &g->rbp};
    bool wide = hvm_in_64bit(cpu);
    for (unsigned i = 0; i < count; i++)
        *(wide ? of64[i] : of32[i]) = wide ? args[i] : (uint32_t)args[i];
    if (nr != HV_SAME_CALL)
        g->rax = nr;
    g->rip -= VMCALL_BYTES;
}

bool hvm_hypercall(struct hv *hv, struct vcpu *v, bool *go_on)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *g = cpu_gprs(cpu);
    uint8_t bytes[VMCALL_BYTES];
    if (hv_copy_from_guest(hv, v, bytes, hvm_code_address(cpu), sizeof bytes) != 0 || bytes[0] != 0x0f || bytes[1] != 0x01 ||
        (bytes[2] != 0xc1 && bytes[2] != 0xd9))
        return false;
    bool wide = hvm_in_64bit(cpu);
    uint64_t nr = wide ? g->rax : (uint32_t)g->rax, args[6];
    arguments(g, wide, args);
    if (hv_stops_on(hv, HV_STOP_HYPERCALL) && stops_hypercall(hv, v, nr, args[0])) {
        cpu_leave_at_breakpoint(cpu);
        *go_on = false;
        return true;
    }
    g->rip += VMCALL_BYTES;
    cpu_retire(cpu);
    hvm_callback_follows(hv, hv_domain(hv, v));
    *go_on = hv_make_call(hv, v, nr, args, cpu_cr(cpu, 0) & CR0_PE ? hvm_cpl(cpu) : 0);
    hvm_resume(hv, v);
    return true;
}

void hv_latch_width(struct hv *hv, struct vcpu *v)
{
    struct domain *d = hv_domain(hv, v);
    bool narrow = !hvm_in_64bit(hv_cpu_of(hv, v));
    if (d->narrow == narrow)
        return;
    d->narrow = narrow;
    hv_update_wallclock(hv, d);
}

/* mov $number, %eax; vmmcall; ret; iret, which no HVM guest has, is ud2. */
void hvm_hypercall_page(uint8_t *page)
{
    memset(page, 0, ENGINE_PAGE_SIZE);
    for (uint32_t nr = 0; nr < ENGINE_PAGE_SIZE / STUB_BYTES; nr++) {
        uint8_t *stub = page + nr * STUB_BYTES;
        static const uint8_t CALL[] = {0x0f, 0x01, 0xd9, 0xc3}, UD2[] = {0x0f, 0x0b};
        if (nr == __HYPERVISOR_iret) {
            memcpy(stub, UD2, sizeof UD2);
            continue;
        }
        stub[0] = 0xb8;
        memcpy(stub + 1, &nr, sizeof nr);
        memcpy(stub + 5, CALL, sizeof CALL);
    }
}
