/* @title  PCI configuration space
 * @fact   the address register takes double words only, the data register any width; functions that are not there are ones;
 *         base address registers show their sizes, and move what they decode while the command register lets them
 * @source PCI Local Bus Specification 3.0, 3.2.2.3.2 (configuration mechanism 1), 6.1, 6.2.2, 6.2.5.1 (base addresses)
 * @env    hvm64
 * @nic    nat
 */
#include <guest.h>
#include <pc.h>

enum { COMMAND = 4, CLASS = 8, HEADER = 0xc, BAR0 = 0x10, BAR1 = 0x14, BAR2 = 0x18, LINE = 0x3c, IO = 1, MEMORY = 2 };
enum { CARD_STATUS = 8, LINK_UP = 2, FRAMES = 0xe0000000, ELSEWHERE = 0xd0000000, REGISTERS = 0xfeb00000, PORTS = 0xc000 };

static uint32_t mem(unsigned long at) { return *(volatile uint32_t *)at; }

static void mechanism(void)
{
    outl(PCI_ADDRESS, 0x80000000);
    check_eq(inl(PCI_ADDRESS), 0x80000000);
    outb(PCI_ADDRESS, 0x55);                              /* other ports, on the bus */
    outw(PCI_ADDRESS + 2, 0);
    check_eq(inl(PCI_ADDRESS), 0x80000000);
    check_eq(inl(PCI_DATA), 0x12378086);
    check_eq(inw(PCI_DATA + 2), 0x1237);
    check_eq(inb(PCI_DATA + 1), 0x80);
    outl(PCI_ADDRESS, 0);                                 /* not enabled */
    check_eq(inl(PCI_DATA), 0xffffffff);
    check_eq(pci_read(PCI_FUNCTION(31, 0), 0), 0xffffffff);
    check_eq(pci_read(PCI_FUNCTION(0, 1), 0), 0xffffffff);
    outl(PCI_ADDRESS, 0x80010000);                        /* bus 1 */
    check_eq(inl(PCI_DATA), 0xffffffff);
}

static void identities(void)
{
    pci_write(0, 0, 0);
    check_eq(pci_read(0, 0), 0x12378086);
    check_eq(pci_read(0, CLASS) >> 8, 0x060000);          /* host bridge */
    check_eq(pci_read(PCI_FUNCTION(1, 0), CLASS) >> 8, 0x060100);
    check_eq(pci_read(PCI_FUNCTION(1, 0), HEADER) >> 16 & 0xff, 0x80);    /* it has more functions */
    check_eq(pci_read(PCI_FUNCTION(1, 1), CLASS) >> 8, 0x010180);
    check_eq(pci_read(PCI_FUNCTION(1, 3), CLASS) >> 16, 0x0680);
}

static void card(unsigned nic)
{
    check_eq(pci_read(nic, CLASS) >> 8, 0x020000);
    check_eq(pci_read(nic, COMMAND) & (IO | MEMORY), 0);
    pci_write(nic, BAR0, 0xffffffff);
    pci_write(nic, BAR1, 0xffffffff);
    pci_write(nic, BAR2, 0xffffffff);
    check_eq(pci_read(nic, BAR0), 0xfffe0000);            /* 128 KiB of memory, 64 ports */
    check_eq(pci_read(nic, BAR1), 0xffffffc1);
    check_eq(pci_read(nic, BAR2), 0);
    pci_write(nic, BAR0, REGISTERS + 0x123);
    pci_write(nic, BAR1, PORTS + 0x3f);
    check_eq(pci_read(nic, BAR0), REGISTERS);
    check_eq(pci_read(nic, BAR1), PORTS | 1);
    check_eq(mem(REGISTERS + CARD_STATUS), 0xffffffff);
    pci_write(nic, COMMAND, MEMORY);
    check_eq(mem(REGISTERS + CARD_STATUS) & LINK_UP, LINK_UP);
    check_eq(inl(PORTS), 0xffffffff);
    pci_write(nic, COMMAND, MEMORY | IO);
    outl(PORTS, CARD_STATUS);
    check_eq(inl(PORTS), CARD_STATUS);
    check_eq(inl(PORTS + 4) & LINK_UP, LINK_UP);
    pci_write(nic, BAR0, REGISTERS + 0x20000);
    check_eq(mem(REGISTERS + CARD_STATUS), 0xffffffff);
    check_eq(mem(REGISTERS + 0x20000 + CARD_STATUS) & LINK_UP, LINK_UP);
    pci_write(nic, LINE, 0xffffff0b);
    check_eq(pci_read(nic, LINE) & 0xffff, 0x010b);       /* the pin is the card's */
}

static void frame_buffer(unsigned vga)
{
    pci_write(vga, BAR0, FRAMES | 0xfff);
    uint32_t bar = pci_read(vga, BAR0);

    check_eq(bar & 7, 0);
    check_eq(bar & ~15u, FRAMES);
    pci_write(vga, COMMAND, MEMORY);
    *(volatile uint32_t *)(FRAMES + 0x1234UL) = 0xcafe1234;
    pci_write(vga, BAR0, ELSEWHERE);
    check_eq(mem(ELSEWHERE + 0x1234UL), 0xcafe1234);
    check_eq(mem(FRAMES + 0x1234UL), 0xffffffff);
    pci_write(vga, COMMAND, 0);
    check_eq(mem(ELSEWHERE + 0x1234UL), 0xffffffff);
}

void test_main(void)
{
    unsigned nic = pci_find(0x100e8086), vga = pci_find(0x11111234);

    require(nic != PCI_NONE && vga != PCI_NONE);
    mechanism();
    identities();
    card(nic);
    frame_buffer(vga);
}
