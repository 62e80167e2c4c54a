/* @title  null hypercalls
 * @fact   (benchmark) n times xen_version: sub=0 is answered in C, sub=7 (XENVER_pagesize) in Python
 * @source xen/include/public/version.h
 * @env    pv64 arm64 arm32
 */
#include <guest.h>
#include <abi/version.h>

void test_main(void)
{
    unsigned long sub = guest_option("sub", XENVER_version);

    for (uint64_t n = guest_option("n", 1000); n > 0; n--)
        hcall_inline(xen_version, sub, 0);
}
