/* @title  page-table updates: the rare refusals
 * @fact   an entry with INVALID_MFN, a command that does not exist, a table of one domain changed on another's behalf, a
 *         linear mapping used as an L1 table, stores of an odd size: each is refused, and nothing changes
 * @source xen/arch/x86/mm.c, xen/arch/x86/pv/ro-page-fault.c, xen/arch/x86/traps.c of Xen 4.17
 * @env    pv64
 */
#include <guest.h>
#include <abi/memory.h>
#include <abi/physdev.h>

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)
enum { LINEAR_SLOT = 300 };

static char window[4096] __attribute__((aligned(4096)));

static long update_for(uint64_t machine, uint64_t value, unsigned domids)
{
    struct mmu_update request = { .ptr = machine, .val = value };
    return hcall(mmu_update, &request, 1, 0, domids);
}

static long ext_for(unsigned command, uint64_t mfn, unsigned domid)
{
    struct mmuext_op op = { .cmd = command, .arg1.mfn = mfn };
    return hcall(mmuext_op, &op, 1, 0, domid);
}

void test_main(void)
{
    pte_t *entry = pt_entry(window, 1), *above = pt_entry(window, 2), was = *entry, upper = *above;
    uint64_t machine = pt_machine(entry);

    check_eq(pt_write(entry, PTE_FRAME | RW), -XEN_EINVAL);
    check_eq(update_for(machine | 4, was, DOMID_SELF), -XEN_ENOSYS);
    check(update_for(pt_machine(above), upper, DOMID_IO) < 0);
    check(update_for(machine, was, DOMID_XEN) < 0);
    check(update_for(machine, was, 0x7000) < 0);
    check(ext_for(MMUEXT_NEW_BASEPTR, virt_to_mfn(pt_root()), DOMID_IO) < 0);
    check(ext_for(MMUEXT_TLB_FLUSH_LOCAL, 0, 0x7000) < 0);

    /* The level 4 table as its own level 3, 2 and 1: readable, but not an L1 table to be changed by address. */
    uint64_t root = virt_to_mfn(pt_root());
    uint64_t slot = (root << PAGE_SHIFT) + LINEAR_SLOT * sizeof(pte_t);
    require_eq(pt_update(slot, MMU_NORMAL_PT_UPDATE, pte_make(root, RO)), 0);
    uint64_t linear = 0xffff000000000000 | (uint64_t)LINEAR_SLOT << 39 | (uint64_t)LINEAR_SLOT << 30 |
                      (uint64_t)LINEAR_SLOT << 21 | 5 << 12;
    check_eq(hcall(update_va_mapping, linear, 0, UVMF_INVLPG), -XEN_EINVAL);
    require_eq(pt_update(slot, MMU_NORMAL_PT_UPDATE, 0), 0);

    /* Stores to the table itself that no entry could come from. */
    struct fault *f = fault_arm();
    require_eq(hcall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    __asm__ volatile(FAULTING("movl $0, 6(%0)") : : "r"(entry) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    check_eq(*entry & ~(PTE_A | PTE_D), was & ~(PTE_A | PTE_D));
    check_eq(*above & ~(PTE_A | PTE_D), upper & ~(PTE_A | PTE_D));

    /* A breakpoint on ports needs CR4.DE. */
    check_eq(hcall(set_debugreg, 7, 0x20401), -XEN_EPERM);

    struct physdev_irq_status_query query = { .irq = 0xffffffff };
    check_eq(hcall(physdev_op, PHYSDEVOP_irq_status_query, &query), -XEN_EINVAL);
    struct xen_memory_reservation claim = { .extent_order = 1, .domid = DOMID_SELF };
    check_eq(hcall(memory_op, XENMEM_claim_pages, &claim), -XEN_EINVAL);
}
