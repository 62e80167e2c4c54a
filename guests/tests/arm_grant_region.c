/* @title  grants on ARM
 * @fact   the grant table appears in the region that the device tree names, where nothing was before; the toolstack's grants of
 *         the console's ring are in it
 * @source xen/include/public/grant_table.h; tools/libs/light/libxl_arm.c; tools/libs/guest/xg_dom_arm.c
 * @env    arm64 arm32
 */
#include <guest.h>
#include <grants.h>
#include <abi/memory.h>

enum { REF = 8 };

static domid_t own_domid(void)
{
    struct evtchn_status status = { .dom = DOMID_SELF };

    status.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    return status.u.unbound.dom;
}

static void read_it(void *p) { (void)*(volatile char *)p; }

void test_main(void)
{
    char *page = page_alloc();
    uintptr_t region = (uintptr_t)fdt_cells(guest_device_tree(), "/hypervisor", "reg", 0);
    volatile char *window = (volatile char *)(region + 0x800000);
    domid_t self = own_domid();
    struct fault *f = fault_arm();

    /* Nothing is there yet: an abort. */
    fault_probe(read_it, (void *)window);
    check_fault(f, EC_DABT, FSC_INJECTED);

    require_eq(physmap_add(XENMAPSPACE_grant_table, 0, (void *)region), 0);
    struct grant_entry_v1 *table = (struct grant_entry_v1 *)region;

    table[REF] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = self, .frame = (uint32_t)virt_to_mfn(page) };
    check_eq(READ_ONCE(table[REF].frame), virt_to_mfn(page));
    check(READ_ONCE(table[GNTTAB_RESERVED_CONSOLE].flags) & GTF_permit_access);
    check_eq(READ_ONCE(table[GNTTAB_RESERVED_CONSOLE].frame), (GUEST_MAGIC_BASE >> PAGE_SHIFT) + GUEST_MAGIC_CONSOLE);
}
