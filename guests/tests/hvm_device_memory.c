/* @title  memory that devices keep
 * @fact   a guest that gives back video memory, or the RAM under the ROMs, loses sight of it; the devices keep it, and it
 *         never becomes a page of somebody's
 * @source xen/include/public/memory.h (XENMEM_decrease_reservation); Intel 440FX 3.2.18 (PAM); IBM VGA, sequencer 2 and 4
 * @env    hvm64
 */
#include <guest.h>
#include <abi/memory.h>
#include <pc.h>

#define FRAME_BUFFER 0xe0000000UL
#define NEW 0x80000000UL                /* where no RAM is */
#define SHADOW 0xd0000UL
enum { VIDEO_PAGES = 8, NEW_PAGES = VIDEO_PAGES + 2, PAM = 0x5c, PAM_RAM = 0x33, SEQUENCER = 0x3c4, GRAPHICS = 0x3ce };

static char own[PAGE_SIZE] __attribute__((aligned(4096)));

static long change(unsigned op, xen_pfn_t gfn)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &gfn);
    return hcall(memory_op, op, &r);
}

static void shadow_is(unsigned bits) { pci_write(0, PAM, (pci_read(0, PAM) & ~0xffu) | bits); }

/* Planes at 0xa0000, all of them written. */
static void planes(void)
{
    static const uint16_t sequencer[] = { 0x0f02, 0x0604 }, graphics[] = { 0x0001, 0x0003, 0x0005, 0x0506, 0xff08 };

    outb(0x3c2, 0x63);
    for (unsigned i = 0; i < ARRAY_SIZE(sequencer); i++)
        outw(SEQUENCER, sequencer[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(graphics); i++)
        outw(GRAPHICS, graphics[i]);
}

void test_main(void)
{
    unsigned vga = pci_find(0x11111234), got = 0;

    require(vga != PCI_NONE);
    pci_write(vga, 0x10, FRAME_BUFFER);
    pci_write(vga, 4, 7);
    planes();
    shadow_is(PAM_RAM);
    *(volatile uint64_t *)SHADOW = 1;
    check_eq(*(volatile uint64_t *)SHADOW, 1);

    for (unsigned i = 0; i < VIDEO_PAGES; i++)
        check_eq(change(XENMEM_decrease_reservation, (FRAME_BUFFER >> 12) + i), 1);
    check_eq(change(XENMEM_decrease_reservation, SHADOW >> 12), 1);
    check_eq(change(XENMEM_decrease_reservation, virt_to_mfn(own)), 1);
    check_eq(*(volatile uint64_t *)SHADOW, ~0UL);
    while (got < NEW_PAGES && change(XENMEM_populate_physmap, (NEW >> 12) + got) == 1)
        got++;
    check(got > 0);

    for (unsigned i = 0; i < VIDEO_PAGES * PAGE_SIZE / 4; i++)
        *(volatile uint8_t *)(VGA_WINDOW + i) = 0x5a;
    check_eq(*(volatile uint8_t *)VGA_WINDOW, 0x5a);
    shadow_is(0);
    shadow_is(PAM_RAM);
    check_eq(*(volatile uint64_t *)SHADOW, 1);
    *(volatile uint64_t *)SHADOW = 2;
    for (unsigned i = 0; i < got * PAGE_SIZE / 8; i++)
        require_eq(((volatile uint64_t *)NEW)[i], 0);
}
