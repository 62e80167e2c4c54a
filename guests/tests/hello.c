/* @title  hello
 * @fact   a guest starts, reaches its console and powers off
 * @source xen/include/public/xen.h (start_info), io/console.h
 * @env    pv64 pv64low pv64p2m
 */
#include <guest.h>

void test_main(void)
{
    printf("Hello from %u vcpu of a PV guest with %lu pages\n", 1u, guest_start_info()->nr_pages);
    check(strncmp(guest_start_info()->magic, "xen-3.0-x86_64", 14) == 0);
}
