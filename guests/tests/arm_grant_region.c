/* @title  grants on ARM
 * @fact   the grant table appears in the region that the device tree names; a page granted to oneself is mapped at a guest frame,
 *         read-only if it was granted so, and is gone when it is unmapped
 * @source xen/include/public/grant_table.h; xen/arch/arm/mm.c (create_grant_host_mapping); tools/libs/light/libxl_arm.c
 * @env    arm64 arm32
 */
#include <guest.h>
#include <grants.h>
#include <abi/memory.h>

enum { REF = 8, REF_RO = 9 };

static domid_t own_domid(void)
{
    struct evtchn_status status = { .dom = DOMID_SELF };

    status.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    return status.u.unbound.dom;
}

static void write_it(void *p) { *(volatile char *)p = 'x'; }
static void read_it(void *p) { (void)*(volatile char *)p; }

void test_main(void)
{
    char *page = page_alloc();
    uintptr_t region = (uintptr_t)fdt_cells(guest_device_tree(), "/hypervisor", "reg", 0);
    volatile char *window = (volatile char *)(region + 0x800000);
    domid_t self = own_domid();
    struct gnttab_map_grant_ref map = { .host_addr = (uintptr_t)window, .flags = GNTMAP_host_map, .ref = REF, .dom = self };
    struct gnttab_unmap_grant_ref unmap = { .host_addr = (uintptr_t)window };
    struct fault *f = fault_arm();

    /* Nothing is there yet: an external abort. */
    fault_probe(read_it, (void *)window);
    check_fault(f, EC_DABT, FSC_EXTERNAL);

    require_eq(physmap_add(XENMAPSPACE_grant_table, 0, (void *)region), 0);
    struct grant_entry_v1 *table = (struct grant_entry_v1 *)region;

    table[REF] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = self, .frame = (uint32_t)virt_to_mfn(page) };
    table[REF_RO] = (struct grant_entry_v1){ .flags = GTF_permit_access | GTF_readonly, .domid = self,
                                             .frame = (uint32_t)virt_to_mfn(page) };
    page[7] = 'g';
    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    require_eq(map.status, GNTST_okay);
    check_eq(window[7], 'g');
    window[7] = 'G';
    check_eq(READ_ONCE(page[7]), 'G');
    check(READ_ONCE(table[REF].flags) & GTF_writing);
    unmap.handle = map.handle;
    require_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    check_eq(unmap.status, GNTST_okay);
    check(!(READ_ONCE(table[REF].flags) & (GTF_reading | GTF_writing)));
    f = fault_arm();
    fault_probe(read_it, (void *)window);
    check_fault(f, EC_DABT, FSC_EXTERNAL);

    map.flags = GNTMAP_host_map | GNTMAP_readonly;
    map.ref = REF_RO;
    require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    require_eq(map.status, GNTST_okay);
    f = fault_arm();
    check_eq(window[7], 'G');
    check_no_fault(f);
    fault_probe(write_it, (void *)window);
    check_eq(f->count, 1);
    check_eq(f->vector, EC_DABT);
    check_eq(page[7], 'G');
    unmap.handle = map.handle;
    check_eq(hcall(grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    map.flags = GNTMAP_host_map;
    check_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    check_eq(map.status, GNTST_general_error);          /* for writing it was not granted */
}
