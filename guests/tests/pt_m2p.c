/* @title  machine-to-phys table
 * @fact   the M2P is readable, inverts the p2m, cannot be written, and MMU_MACHPHYS_UPDATE changes it for own frames only
 * @source xen/include/public/xen.h (MMU_MACHPHYS_UPDATE), arch-x86/xen-x86_64.h (MACH2PHYS_VIRT_START)
 * @env    pv64
 */
#include <guest.h>

static unsigned long user_load(unsigned long address)
{
    return *(volatile unsigned long *)address;
}

void test_main(void)
{
    uint64_t pages = guest_start_info()->nr_pages;
    uint64_t *m2p = (uint64_t *)MACH2PHYS_VIRT_START;
    char *page = page_alloc();
    uint64_t mfn = virt_to_mfn(page), pfn = virt_to_pfn(page);
    struct fault *f;

    for (uint64_t p = 0; p < pages; p++)
        require_eq(mfn_to_pfn(pfn_to_mfn(p)), p);

    f = fault_arm();
    __asm__ volatile(FAULTING("movq $0, (%0)") : : "r"(&m2p[mfn]) : "memory");
    check(f->count == 1 && f->vector == X86_EXC_PF);
    check_eq(f->address, (unsigned long)&m2p[mfn]);
    check(f->error & PFEC_write_access);

    check_eq(pt_update(mfn << PAGE_SHIFT, MMU_MACHPHYS_UPDATE, 0x1234), 0);
    check_eq(mfn_to_pfn(mfn), 0x1234);
    check_eq(pt_update(mfn << PAGE_SHIFT, MMU_MACHPHYS_UPDATE, pfn), 0);
    check_eq(mfn_to_pfn(mfn), pfn);
    check(pt_update(0x7ffffffUL << PAGE_SHIFT, MMU_MACHPHYS_UPDATE, 1) < 0);

    /* The rest of the hypervisor's range is not accessible. */
    f = fault_arm();
    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(HYPERVISOR_VIRT_END - 4096) : "rax", "memory");
    check(f->count == 1 && f->vector == X86_EXC_PF);
    f = fault_arm();
    __asm__ volatile(FAULTING("movb $1, (%0)") : : "r"(HYPERVISOR_VIRT_START + (1UL << 39)) : "memory");
    check(f->count == 1 && f->vector == X86_EXC_PF);

    /* With m2p_strict user mode does not see the table, even when the kernel has just read it through the same tables. */
    f = fault_arm();
    check_eq(user_call(user_load, (unsigned long)&m2p[mfn]), pfn);
    check_no_fault(f);
    require_eq(hcall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_m2p_strict), 0);
    require_eq(pt_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(pt_root())), 0);
    check_eq(mfn_to_pfn(mfn), pfn);
    f = fault_arm();
    user_call(user_load, (unsigned long)&m2p[mfn]);
    check_fault(f, X86_EXC_PF, PFEC_user_mode);
    check_eq(mfn_to_pfn(mfn), pfn);
    require_eq(hcall(vm_assist, VMASST_CMD_disable, VMASST_TYPE_m2p_strict), 0);
    f = fault_arm();
    check_eq(user_call(user_load, (unsigned long)&m2p[mfn]), pfn);
    check_no_fault(f);
}
