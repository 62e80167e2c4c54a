/* @title  hello
 * @fact   a guest starts, reaches its console, has memory and powers off
 * @source xen/include/public/memory.h (XENMEM_current_reservation), io/console.h
 * @env    pv64 pv64low pv64p2m pvh64 pvh32 hvm64 hvm32 hvm32pse hvm32pae arm64 arm32
 */
#include <guest.h>
#include <abi/memory.h>

void test_main(void)
{
    domid_t self = DOMID_SELF;
    long pages = hcall(memory_op, XENMEM_current_reservation, &self);

    printf("Hello from a guest with %ld pages\n", pages);
    check(pages > 0);
}
