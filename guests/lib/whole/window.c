/* window.c (whole processors) - a window is a page of the image without memory in the physmap. */
#include <guest.h>
#include <window.h>
#include <abi/memory.h>

static void change(unsigned op, const void *page)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    xen_pfn_t frame = (xen_pfn_t)virt_to_mfn(page);

    set_xen_guest_handle(r.extent_start, &frame);
    require_eq(hcall(memory_op, op, &r), 1);
}

void window_open(void *page) { change(XENMEM_decrease_reservation, page); }

void window_close(void *page) { change(XENMEM_populate_physmap, page); }

long window_steal(void *page, domid_t owner, uint64_t frame)
{
    xen_ulong_t index = (xen_ulong_t)frame;
    xen_pfn_t at = (xen_pfn_t)virt_to_mfn(page);
    int error = 0;
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1, .u.foreign_domid = owner,
    };

    set_xen_guest_handle(op.idxs, &index);
    set_xen_guest_handle(op.gpfns, &at);
    set_xen_guest_handle(op.errs, &error);
    long rc = hcall(memory_op, XENMEM_add_to_physmap_batch, &op);

    return rc ? rc : error;
}
