/* @title  command line
 * @fact   a guest finds the command line that it was given: PV and PVH in their start_info, a PC in fw_cfg
 * @source xen/include/public/xen.h (start_info), arch-x86/hvm/start_info.h, QEMU docs/specs/fw_cfg.rst
 * @cmdline who=7
 * @env    pv64 pv64low pv64p2m pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>

void test_main(void)
{
    printf("The command line says %u\n", (unsigned)guest_option("who", 0));
    check_eq(guest_option("who", 0), 7);
    check(strcmp(guest_cmdline(), "who=7") == 0);
}
