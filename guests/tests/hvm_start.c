/* @title  start of a PVH guest
 * @fact   a kernel is entered with a start_info, its first vcpu is the BSP, ring 0 and long mode are its own
 * @source xen/include/public/arch-x86/hvm/start_info.h
 * @env    pvh64
 */
#include <guest.h>

void test_main(void)
{
    struct hvm_start_info *start = guest_start_info();

    require(start != NULL);
    check_eq(start->magic, XEN_HVM_START_MAGIC_VALUE);
    check_eq(start->version, 1);
    const struct hvm_memmap_table_entry *map = (const void *)start->memmap_paddr;
    uint64_t ram = 0;

    for (unsigned i = 0; i < start->memmap_entries; i++)
        ram += map[i].type == 1 ? map[i].size : 0;
    check(ram >= 1 << 20);
    check_eq(x86_cs() & 3, 0);
    check(rdmsr(MSR_APIC_BASE) & 1 << 8);
    check(rdmsr(MSR_EFER) & 1 << 10);
}
