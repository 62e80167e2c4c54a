/* @title  emulated page-table writes
 * @fact   a store to an own L1 table, which is mapped read-only, is carried out by the hypervisor when the entry is
 *         allowed, and faults when it is not; stores to higher tables fault; without the assist every store faults
 * @source xen/arch/x86/pv/ro-page-fault.c (writable page tables), xen.h (VMASST_TYPE_writable_pagetables)
 * @env    pv64
 */
#include <guest.h>

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)

static char window[4096] __attribute__((aligned(4096)));

void test_main(void)
{
    volatile pte_t *entry = pt_entry(window, 1);
    char *page = page_alloc();
    uint64_t own = virt_to_mfn(window), mfn = virt_to_mfn(page);
    struct fault *f = fault_arm();
    pte_t was, value;

    page[1] = 'p';
    window[1] = 'w';

    /* Only with the assist. */
    value = pte_make(mfn, RW);
    __asm__ volatile(FAULTING("movq %1, (%0)") : : "r"(entry), "r"(value) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    require_eq(hcall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    f = fault_arm();
    *entry = pte_make(mfn, RW);
    check_no_fault(f);
    check_eq(READ_ONCE(window[1]), 'p');
    *entry = pte_make(own, RW);
    check_eq(READ_ONCE(window[1]), 'w');

    /* Exchange, compare and exchange, and bit operations. */
    value = pte_make(mfn, RW);
    __asm__ volatile("xchg %0, %1" : "+r"(value), "+m"(*entry) : : "memory");
    check_eq(value & PTE_FRAME, pte_make(own, 0));
    check_eq(READ_ONCE(window[1]), 'p');
    was = *entry;
    check(__atomic_compare_exchange_n(entry, &was, pte_make(own, RW), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    check_eq(READ_ONCE(window[1]), 'w');
    was = pte_make(mfn, RO);
    check(!__atomic_compare_exchange_n(entry, &was, pte_make(mfn, RW), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    check_eq(was & PTE_FRAME, pte_make(own, 0));
    __asm__ volatile("lock btrq $1, %0" : "+m"(*entry) : : "memory", "cc");
    check(!(*entry & PTE_RW));
    check_no_fault(f);
    __asm__ volatile(FAULTING("movb $1, (%0)") : : "r"(window) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    f = fault_arm();
    __asm__ volatile("orq %1, %0" : "+m"(*entry) : "r"(PTE_RW) : "memory", "cc");
    WRITE_ONCE(window[1], 'W');
    check_no_fault(f);

    /* An entry that is not allowed: the store faults, and nothing changed. */
    was = *entry;
    value = pte_make(virt_to_mfn(pt_root()), RW);
    __asm__ volatile(FAULTING("movq %1, (%0)") : : "r"(entry), "r"(value) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    check_eq(f->address, (unsigned long)entry);
    check_eq(*entry, was);

    /* Not an L1. */
    f = fault_arm();
    __asm__ volatile(FAULTING("movq %1, (%0)") : : "r"(pt_entry(window, 2)), "r"(0UL) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    f = fault_arm();
    __asm__ volatile(FAULTING("movq %1, (%0)") : : "r"(&pt_root()[511]), "r"(0UL) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    check_eq(READ_ONCE(window[1]), 'W');
}
