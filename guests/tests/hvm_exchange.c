/* @title  XENMEM_exchange of a translated domain
 * @fact   its lists have guest frames: the old pages leave the physmap, new ones stand where the second list says
 * @source xen/include/public/memory.h (xen_memory_exchange); memory_exchange() in xen/common/memory.c
 * @env    pvh64 hvm64
 */
#include <guest.h>
#include <abi/memory.h>

static char pages[4][PAGE_SIZE] __attribute__((aligned(4096)));

static long exchange(xen_pfn_t in, xen_pfn_t out)
{
    struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF } };

    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    long rc = hcall(memory_op, XENMEM_exchange, &x);

    check_eq(x.nr_exchanged, rc == 0);
    return rc;
}

static long owned(void) { return hcall(memory_op, XENMEM_current_reservation, &(domid_t){ DOMID_SELF }); }

void test_main(void)
{
    long before = owned();

    for (unsigned i = 0; i < 4; i++)
        memset(pages[i], 'a' + (int)i, PAGE_SIZE);

    /* Another page in the same place. */
    check_eq(exchange(virt_to_mfn(pages[0]), virt_to_mfn(pages[0])), 0);
    check_eq(pages[0][0], 0);
    check_eq(owned(), before);

    /* Elsewhere: what stood there is given back, and nothing stands where the old page was. */
    check_eq(exchange(virt_to_mfn(pages[1]), virt_to_mfn(pages[2])), 0);
    check_eq((unsigned char)pages[1][0], 0xff);
    check_eq(pages[2][0], 0);
    check_eq(owned(), before - 1);
    pages[0][0] = 1;
    pages[2][0] = 2;
    check_eq(pages[0][0], 1);

    /* Where nothing stands, and what is Xen's, cannot be exchanged; nothing has changed then. */
    check_eq(exchange(virt_to_mfn(pages[1]), virt_to_mfn(pages[1])), -XEN_EINVAL);
    check_eq(exchange(1UL << 40, virt_to_mfn(pages[1])), -XEN_EINVAL);
    check_eq(exchange(virt_to_mfn(guest_shared_info()), virt_to_mfn(pages[1])), -XEN_EINVAL);
    check_eq(owned(), before - 1);

    /* Beyond the end of the physmap: the old page is gone, as the new one is. */
    check_eq(exchange(virt_to_mfn(pages[2]), 1UL << 52), -XEN_EINVAL);
    check_eq((unsigned char)pages[2][0], 0xff);
    check_eq(owned(), before - 2);
    check_eq(pages[3][PAGE_SIZE - 1], 'd');
}
