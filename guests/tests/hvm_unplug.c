/* @title  unplugging emulated devices
 * @fact   the Xen platform device takes the IDE disk and the network card away; then, and not before, the same disk and the
 *         same cable are PV devices
 * @source xen/docs/misc/hvm-emulated-unplug.pandoc
 * @env    hvm64 hvm32pae
 * @disk   16
 * @nic    nat
 */
#include <guest.h>
#include <ide.h>
#include <pc.h>
#include <store.h>
#include <blkfront.h>
#include <frames.h>
#include <netfront.h>

enum { XEN_PORT = 0x10, MAGIC = 0x49d2, UNPLUG_DISKS = 1, UNPLUG_NICS = 2, BLK_HDA = 3 << 8 };
enum { WORDS = 256 };

static struct blkfront disk;
static struct netfront nic;
static uint64_t page[4096 / 8] __attribute__((aligned(4096)));

static void by_ide(void)
{
    uint16_t words[WORDS];

    ide_command(ATA_READ, 5, 1);
    ide_read(words, WORDS);
    check_eq(words[0], 5);
    for (unsigned i = 1; i < WORDS; i++)
        check_eq(words[i], 0);
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = 0xabcd;
    ide_command(ATA_WRITE, 6, 1);
    ide_write(words, WORDS);
    check_eq(ide_wait() & IDE_DRQ, 0);
    ide_command(ATA_FLUSH, 0, 1);
    check_eq(ide_wait() & IDE_DRQ, 0);
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
    static const uint8_t own[6] = { 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03 };
    uint8_t arp[FRAME_ARP_BYTES], gateway[6];
    unsigned length = 0;

    frame_arp(arp, own);
    check_eq(net_send(&nic, arp, sizeof(arp), 0), NETIF_RSP_OKAY);
    const uint8_t *answer = net_receive(&nic, &length);
    check(answer != NULL && frame_arp_answer(answer, length, own, gateway));
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
    check(inb(IDE_STATUS) != 0);
    outw(XEN_PORT, UNPLUG_DISKS);
    check_eq(inb(IDE_STATUS), 0);
    ide_command(ATA_READ, 5, 1);
    check_eq(inb(IDE_STATUS), 0);
    require_eq(xenbus_back_state(&disk.bus), XenbusStateInitWait);

    require_eq(blk_connect(&disk, 0), XenbusStateConnected);
    by_blkfront();
    require_eq(net_connect(&nic), XenbusStateConnected);
    by_netfront();
    check_eq(blk_close(&disk), XenbusStateClosed);
}
