/* @title  console ring
 * @fact   the console back end reads what the guest writes, more than the ring holds as well, and moves out_cons
 * @source xen/include/public/io/console.h
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>
#include <abi/io/console.h>

void test_main(void)
{
    struct xencons_interface *ring = console_ring();

    require(ring != NULL);
    check(console_port() > 0);
    uint32_t before = ring->out_prod;
    for (unsigned line = 0; line < 100; line++)
        printf("line %u of a text that is longer than the ring: 0123456789012345678901234567890123456789\n", line);
    console_drain();
    check(ring->out_prod - before > XENCONS_OUT_SIZE);
    check_eq(ring->out_cons, ring->out_prod);
    check_eq(ring->in_prod, ring->in_cons);
}
