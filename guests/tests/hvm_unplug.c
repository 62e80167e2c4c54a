/* @title  unplugging emulated devices
 * @fact   the Xen platform device takes the IDE disk and the network card away; then, and not before, the same disk and the
 *         same cable are PV devices
 * @source xen/docs/misc/hvm-emulated-unplug.pandoc
 * @env    hvm64 hvm32pae
 * @disk   16
 * @nic    nat
 */
#include <guest.h>
#include <pc.h>
#include <store.h>
#include <blkfront.h>
#include <netfront.h>

enum { XEN_PORT = 0x10, MAGIC = 0x49d2, UNPLUG_DISKS = 1, UNPLUG_NICS = 2, BLK_HDA = 3 << 8 };
enum { READ_SECTORS = 0x20, WRITE_SECTORS = 0x30, CACHE_FLUSH = 0xe7, WORDS = 256 };

static struct blkfront disk;
static struct netfront nic;
static uint64_t page[4096 / 8] __attribute__((aligned(4096)));

static void command(uint8_t sector, uint8_t opcode)
{
    outb(IDE1 + 6, 0xe0);
    outb(IDE1 + 2, 1);
    outb(IDE1 + 3, sector);
    outb(IDE1 + 4, 0);
    outb(IDE1 + 5, 0);
    outb(IDE1 + IDE_COMMAND, opcode);
}

static void wait(uint8_t status)
{
    for (unsigned turns = 0; (inb(IDE1 + IDE_COMMAND) & (IDE_BSY | IDE_DRQ)) != status; turns++)
        require(turns < 1000000);
}

static void by_ide(void)
{
    command(5, READ_SECTORS);
    wait(IDE_DRQ);
    check_eq(inw(IDE1), 5);
    for (unsigned i = 1; i < WORDS; i++)
        check_eq(inw(IDE1), 0);
    command(6, WRITE_SECTORS);
    wait(IDE_DRQ);
    for (unsigned i = 0; i < WORDS; i++)
        outw(IDE1, 0xabcd);
    wait(0);
    outb(IDE1 + IDE_COMMAND, CACHE_FLUSH);
    wait(0);
}

static void by_blkfront(void)
{
    grant_ref_t ref = xenbus_grant(page, false);

    check_eq(blk_page(&disk, BLKIF_OP_READ, 5, ref, 2), BLKIF_RSP_OKAY);
    check_eq(page[0], 5);
    check_eq(page[64], 0xabcdabcdabcdabcdull);      /* what was written by IDE */
    check_eq(xenbus_back(&disk.bus, "sectors", 0), 16);
}

static void by_netfront(void)
{
    static const uint8_t arp[42] = {                /* who has 10.0.2.2, tell 10.0.2.15 */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03, 0x08, 0x06,
        0, 1, 8, 0, 6, 4, 0, 1, 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
    };
    unsigned length = 0;

    check_eq(net_send(&nic, arp, sizeof(arp), 0), NETIF_RSP_OKAY);
    const uint8_t *answer = net_receive(&nic, &length);
    check(answer != NULL && length >= 42 && answer[21] == 2);
}

void test_main(void)
{
    require(store_init());
    require_eq(inw(XEN_PORT), MAGIC);
    check_eq(inb(XEN_PORT + 2), 1);
    outw(XEN_PORT + 2, 3);
    outl(XEN_PORT, 1);
    require_eq(inw(XEN_PORT), MAGIC);               /* this driver is not blacklisted */
    check(pci_find(0x00015853) != PCI_NONE && pci_find(0x100e8086) != PCI_NONE);

    require(xenbus_find(&disk.bus, "vbd", BLK_HDA));
    require(xenbus_find(&nic.bus, "vif", 0));
    check_eq(xenbus_back_state(&disk.bus), XenbusStateInitialising);
    check_eq(xenbus_back_state(&nic.bus), XenbusStateInitialising);
    by_ide();

    outw(XEN_PORT, UNPLUG_NICS);
    check_eq(pci_find(0x100e8086), PCI_NONE);
    check_eq(xenbus_back_state(&disk.bus), XenbusStateInitialising);
    require_eq(xenbus_back_state(&nic.bus), XenbusStateInitWait);
    check(inb(IDE1 + IDE_COMMAND) != 0);
    outw(XEN_PORT, UNPLUG_DISKS);
    check_eq(inb(IDE1 + IDE_COMMAND), 0);
    command(5, READ_SECTORS);
    check_eq(inb(IDE1 + IDE_COMMAND), 0);
    require_eq(xenbus_back_state(&disk.bus), XenbusStateInitWait);

    require_eq(blk_connect(&disk, 0), XenbusStateConnected);
    by_blkfront();
    require_eq(net_connect(&nic), XenbusStateConnected);
    by_netfront();
    check_eq(blk_close(&disk), XenbusStateClosed);
}
