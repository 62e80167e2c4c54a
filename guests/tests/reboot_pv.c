/* @title    a reboot with PV devices
 * @fact     SCHEDOP_shutdown(SHUTDOWN_reboot) begins the domain anew: memory as it was built, a xenstore connection and
 *           back ends that know nothing of the life before, and the disk as it was left
 * @source   handle_domain_death() in tools/xl/xl_vmcontrol.c; xen/include/public/sched.h, io/xenbus.h, io/blkif.h
 * @env      pv64 pvh64
 * @vcpus    2
 * @disk     8
 * @nic      nat
 * @restarts 3
 */
#include <guest.h>
#include <store.h>
#include <blkfront.h>

static struct blkfront disk;
static uint64_t page[512] __attribute__((aligned(4096)));
static volatile unsigned in_memory = 7, second_ran;

static void second(void *unused)
{
    (void)unused;
    second_ran = 1;
}

void test_main(void)
{
    struct sched_shutdown reboot = { .reason = SHUTDOWN_reboot };
    char text[STORE_MAX];

    check_eq(in_memory, 7);
    in_memory = 8;
    require(store_init());
    check(store_read(0, "data/life", text) < 0);
    check(store_write(0, "data/life", "before"));
    require_eq(vcpu_start(1, second, NULL), 0);
    while (!second_ran)
        __asm__ volatile("pause");
    require(xenbus_find(&disk.bus, "vbd", BLK_XVDA));
    require_eq(xenbus_back_state(&disk.bus), XenbusStateInitWait);
    require_eq(blk_connect(&disk, 0), XenbusStateConnected);
    grant_ref_t ref = xenbus_grant(page, false);
    require_eq(blk_page(&disk, BLKIF_OP_READ, 0, ref, 1), BLKIF_RSP_OKAY);
    uint64_t lives = page[0];
    if (lives == 3)
        return;
    page[0] = lives + 1;
    require_eq(blk_page(&disk, BLKIF_OP_WRITE, 0, ref, 1), BLKIF_RSP_OKAY);
    require_eq(verdict_failures(), 0);
    hcall(sched_op, SCHEDOP_shutdown, &reboot);
    fail("the domain went on");
}
