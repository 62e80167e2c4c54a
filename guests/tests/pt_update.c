/* @title  mmu_update
 * @fact   every entry written by mmu_update is checked: what it maps, how, and where it stands; A and D bits survive
 *         MMU_PT_UPDATE_PRESERVE_AD; a batch stops at the first refusal and says how far it came
 * @source xen/include/public/xen.h (mmu_update), xen/arch/x86/mm.c
 * @env    pv64
 * @memory 32
 */
#include <guest.h>

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)

static char window[4096] __attribute__((aligned(4096)));

void test_main(void)
{
    pte_t *entry = pt_entry(window, 1);
    uint64_t own = virt_to_mfn(window);
    char *data = page_alloc();
    uint64_t mfn = virt_to_mfn(data);

    data[0] = 'd';
    window[0] = 'w';
    check_eq(pt_write(entry, pte_make(mfn, RW)), 0);
    check_eq(window[0], 'd');
    check_eq((*entry & PTE_FRAME) >> PAGE_SHIFT, mfn);
    /* Every entry of a 64-bit guest is a user entry. */
    check_eq(pt_write(entry, pte_make(mfn, PTE_P | PTE_RW)), 0);
    check(*entry & PTE_US);
    check_eq(window[0], 'd');

    /* What is refused leaves the entry as it was. */
    pte_t before = *entry;
    uint64_t root = virt_to_mfn(pt_root());

    check(pt_write(entry, pte_make(root, RW)) < 0);                 /* a page table, writably */
    check(pt_write(entry, pte_make(0x7ffffff, RW)) < 0);            /* no such frame */
    check(pt_write(entry, pte_make(mfn, RW) | 1ULL << 50) < 0);     /* reserved bit */
    check_eq(*entry, before);
    check_eq(pt_write(entry, pte_make(root, RO)), 0);               /* read-only is fine */
    check_eq(((pte_t *)window)[0], pt_root()[0]);

    /* Upper levels. */
    pte_t *l2 = pt_entry(window, 2), *l3 = pt_entry(window, 3), *l4 = pt_entry(window, 4);
    pte_t l2_before = *l2, l3_before = *l3, l4_before = *l4;

    check(pt_write(l2, pte_make(mfn, RW)) < 0);
    check(pt_write(l2, l2_before | PTE_PS) < 0);
    check(pt_write(l3, pte_make(mfn, RW)) < 0);
    check(pt_write(l4, pte_make(mfn, RW)) < 0);
    check_eq(*l2, l2_before);
    check_eq(*l3, l3_before);
    check_eq(*l4, l4_before);

    /* The hypervisor's slots of the top table. */
    check(pt_write(&pt_root()[256], l4_before) < 0);
    check(pt_write(&pt_root()[271], l4_before) < 0);
    check(pt_write(&pt_root()[256], 0) < 0);
    check_eq(pt_write(&pt_root()[272], 0), 0);

    /* A recursive entry: the top table as its own L3, read-only; never writable. */
    check_eq(pt_write(&pt_root()[300], pte_make(root, RO)), 0);
    check_eq(*(pte_t *)(0xffff000000000000 | 300UL << 39 | 300UL << 30 | 300UL << 21 | 300UL << 12), pt_root()[0]);
    check_eq(pt_write(&pt_root()[300], 0), 0);
    check(pt_write(&pt_root()[300], pte_make(root, RW)) < 0);

    /* Accessed and dirty. */
    check_eq(pt_write(entry, pte_make(own, PTE_P | PTE_US | PTE_RW)), 0);
    check_eq(READ_ONCE(*entry) & (PTE_A | PTE_D), 0);
    (void)READ_ONCE(window[0]);
    check_eq(READ_ONCE(*entry) & (PTE_A | PTE_D), PTE_A);
    WRITE_ONCE(window[0], 'x');
    check_eq(READ_ONCE(*entry) & (PTE_A | PTE_D), PTE_A | PTE_D);
    check_eq(pt_update(pt_machine(entry), MMU_PT_UPDATE_PRESERVE_AD, pte_make(own, PTE_P | PTE_US)), 0);
    check_eq(READ_ONCE(*entry) & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
    check_eq(pt_update(pt_machine(entry), MMU_NORMAL_PT_UPDATE, pte_make(own, PTE_P | PTE_US | PTE_RW)), 0);
    check_eq(READ_ONCE(*entry) & (PTE_A | PTE_D | PTE_RW), PTE_RW);

    /* A batch. */
    struct mmu_update batch[3] = {
        { pt_machine(entry) | MMU_NORMAL_PT_UPDATE, pte_make(mfn, RW) },
        { pt_machine(entry) | MMU_NORMAL_PT_UPDATE, pte_make(root, RW) },
        { pt_machine(entry) | MMU_NORMAL_PT_UPDATE, pte_make(own, RW) },
    };
    unsigned done = 99;

    check(hcall(mmu_update, batch, 3, &done, DOMID_SELF) < 0);
    check_eq(done, 1);
    check_eq((*entry & PTE_FRAME) >> PAGE_SHIFT, mfn);
    check_eq(hcall(mmu_update, &batch[2], 1, NULL, DOMID_SELF), 0);
    check_eq(hcall(mmu_update, batch, 0, &done, DOMID_SELF), 0);
    check_eq(hcall(mmu_update, 0x1000, 1, &done, DOMID_SELF), -XEN_EFAULT);
    check(hcall(mmu_update, batch, 1, &done, 0x7000) < 0);
    check(hcall(mmu_update, batch, 1, &done, 0) < 0);

    /* A frame that is no page table is written like memory; a frame that is not ours is not. */
    check_eq(pt_update(mfn << PAGE_SHIFT | 8, MMU_NORMAL_PT_UPDATE, 0x1122334455667788), 0);
    check_eq(*(uint64_t *)(data + 8), 0x1122334455667788);
    check(pt_update(0x7ffffffUL << PAGE_SHIFT, MMU_NORMAL_PT_UPDATE, 1) < 0);
}
