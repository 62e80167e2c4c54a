/* @title  user page table
 * @fact   guest user mode runs on the table of MMUEXT_NEW_USER_BASEPTR, the guest kernel on its own
 * @source xen/include/public/xen.h (MMUEXT_NEW_USER_BASEPTR)
 * @env    pv64
 */
#include <guest.h>

#define ADDRESS ((volatile unsigned long *)0x0000200000000000)

static unsigned long user_load(unsigned long address)
{
    return *(volatile unsigned long *)address;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    pte_t *root = page_alloc();
    unsigned long *data = page_alloc();

    check_eq(user_call(user_load, (unsigned long)&data[0]), 0);

    /* A second top table, equal to the first; then one more mapping in the first alone. */
    for (unsigned i = 0; i < 512; i++)
        if (i < 256 || i >= 272)
            root[i] = pt_root()[i];
    require_eq(page_readonly(root), 0);
    require_eq(pt_ext(MMUEXT_PIN_L4_TABLE, virt_to_mfn(root)), 0);
    require_eq(pt_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(root)), 0);

    data[0] = 0x5566;
    require(pt_map((void *)ADDRESS, pte_make(virt_to_mfn(data), PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)));
    check_eq(*ADDRESS, 0x5566);
    user_call(user_load, (unsigned long)ADDRESS);
    check_fault(f, X86_EXC_PF, PFEC_user_mode);

    /* In use twice: as the user's base, and pinned. */
    check_eq(pt_ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(root)), 0);
    check_eq(page_writable(root), -XEN_EBUSY);

    /* The kernel's own table for the user as well. */
    require_eq(pt_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(pt_root())), 0);
    f = fault_arm();
    check_eq(user_call(user_load, (unsigned long)ADDRESS), 0x5566);
    check_no_fault(f);
    check_eq(page_writable(root), 0);

    /* No user table at all is allowed, as long as nobody goes there. */
    check_eq(pt_ext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
}
