/* @title  the physmap of a translated domain
 * @fact   pages of Xen's and of one's own are put at guest frames and taken away; what is not there is refused
 * @source xen/include/public/memory.h; xenmem_add_to_physmap_one() in xen/arch/x86/mm.c
 * @env    pvh64 hvm64 hvm32pae pvh32
 */
#include <guest.h>
#include <abi/memory.h>
#include <window.h>

static char a[PAGE_SIZE] __attribute__((aligned(4096))), b[PAGE_SIZE] __attribute__((aligned(4096)));

static long add(unsigned space, unsigned long index, unsigned long gfn)
{
    struct xen_add_to_physmap op = { .domid = DOMID_SELF, .space = space, .idx = index, .gpfn = gfn };

    return hcall(memory_op, XENMEM_add_to_physmap, &op);
}

static long change(unsigned op, xen_pfn_t gfn)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &gfn);
    return hcall(memory_op, op, &r);
}

void test_main(void)
{
    struct xen_remove_from_physmap remove = { .domid = DOMID_SELF, .gpfn = virt_to_mfn(a) };

    /* A page of one's own is moved: it is where it was put, and no longer where it was. */
    memcpy(a, "moved", 6);
    check_eq(add(XENMAPSPACE_gmfn, virt_to_mfn(a), virt_to_mfn(b)), 0);
    check(strcmp(b, "moved") == 0);
    check_eq((unsigned char)a[0], 0xff);
    check_eq(add(XENMAPSPACE_gmfn, virt_to_mfn(a), virt_to_mfn(b)), -XEN_ENOENT);
    check_eq(hcall(memory_op, XENMEM_remove_from_physmap, &remove), -XEN_ENOENT);

    /* A new page where there is none; it goes again. */
    check_eq(change(XENMEM_populate_physmap, virt_to_mfn(a)), 1);
    check_eq(a[0], 0);
    a[0] = 7;
    check_eq(a[0], 7);
    check_eq(change(XENMEM_decrease_reservation, virt_to_mfn(a)), 1);
    check_eq((unsigned char)a[0], 0xff);
    check_eq(change(XENMEM_decrease_reservation, virt_to_mfn(a)), 0);

    /* Beyond the end of the physmap: refused, and nothing is allocated for it. */
    long pages = hcall(memory_op, XENMEM_current_reservation, &(domid_t){ DOMID_SELF });
    static const xen_pfn_t beyond[] = { 1ul << 27, (xen_pfn_t)((uint64_t)1 << 52 | 1ul << 31), (xen_pfn_t)~0ul };

    for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
        check_eq(change(XENMEM_populate_physmap, beyond[i]), 0);
    check_eq(hcall(memory_op, XENMEM_current_reservation, &(domid_t){ DOMID_SELF }), pages);
    /* A page put where it is stays there. */
    memcpy(b, "stays", 6);
    check_eq(add(XENMAPSPACE_gmfn, virt_to_mfn(b), virt_to_mfn(b)), 0);
    check(strcmp(b, "stays") == 0);

    /* A frame of another domain, without rights over that, is not to be had. */
    check_eq(window_steal(b, 0, virt_to_mfn(a)), -XEN_EPERM);
    check_eq(window_steal(b, 0x7000, virt_to_mfn(a)), -XEN_ESRCH);
    check(strcmp(b, "stays") == 0);

    /* shared_info can be had in a second place. */
    check_eq(add(XENMAPSPACE_shared_info, 0, virt_to_mfn(a)), 0);
    check(memcmp(a, guest_shared_info(), 64) == 0);
    check_eq(add(XENMAPSPACE_shared_info, 1, virt_to_mfn(a)), -XEN_EINVAL);
    check_eq(add(XENMAPSPACE_grant_table, 1 << 20, virt_to_mfn(a)), -XEN_EINVAL);
    check_eq(add(77, 0, virt_to_mfn(a)), -XEN_ENOSYS);
    check_eq(add(XENMAPSPACE_shared_info, 0, ~0ul), -XEN_EINVAL);
    check_eq(hcall(memory_op, XENMEM_remove_from_physmap, &remove), 0);
}
