/* @title  device tree
 * @fact   the tree that the domain is given has its processors, memory, interrupt controller, timers and Xen's node, and the
 *         registers that it names are there
 * @source tools/libs/light/libxl_arm.c; Xen 4.17, xen/arch/arm/vgic-v2.c, vgic-v3.c (GICD_IIDR)
 * @env    arm64 arm32
 * @vcpus  2
 * @memory 24
 * @cmdline one two=2
 */
#include <guest.h>
#include <gic_cpu.h>

void test_main(void)
{
    const void *tree = guest_device_tree();
    char path[32];

    check(fdt_has_text(tree, "", "compatible", "xen,xenvm"));
    check(fdt_has_text(tree, "/hypervisor", "compatible", "xen,xen"));
    check(strcmp(guest_cmdline(), "one two=2") == 0);
    check_eq(guest_pages(), 24 << 8);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
        check_eq(fdt_cell(tree, path, "reg", 0, 99), cpu_affinity(i));
        check(fdt_has_text(tree, path, "enable-method", "psci"));
    }
    check_eq(fdt_cell(tree, "/cpus/cpu@2", "reg", 0, 99), 99);
    check_eq(fdt_cells(tree, "/hypervisor", "reg", 0), GUEST_GNTTAB_BASE);
    check_eq(fdt_cells(tree, "/hypervisor", "reg", 2), GUEST_GNTTAB_SIZE);
    check_eq(fdt_cell(tree, "/timer", "interrupts", 7, 0), GUEST_TIMER_VIRT_PPI - GIC_FIRST_PPI);
    check_eq(fdt_cell(tree, "/interrupt-controller", "phandle", 0, 0), fdt_cell(tree, "", "interrupt-parent", 0, 1));
    check_eq((*gicd(GICD_TYPER) >> 5 & 7) + 1, 2);      /* processors */
    check_eq(*gicd(GICD_IIDR) & 0xfff, gic_is_v3() ? 0x34c : 0x43b);
}
