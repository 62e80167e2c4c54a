/* @title  long batches of grant operations
 * @fact   a batch that Xen cuts into pieces comes back whole: each operation done once, with its status, also inside a
 *         multicall
 * @source xen/common/grant_table.c (continuations), xen/include/public/grant_table.h
 * @env    pv64 arm64 arm32
 */
#include <guest.h>
#include <grants.h>

enum { OPS = 1000, A = 20, B = 21, NOT_THERE = 5000 };
static struct gnttab_swap_grant_ref ops[OPS];

static void prepare(void)
{
    for (unsigned i = 0; i < OPS; i++) {
        ops[i].ref_a = A;
        ops[i].ref_b = i % 3 == 2 ? NOT_THERE : B;
        ops[i].status = 77;
    }
}

/* 667 swaps that work: an odd number, so the two entries have changed places. */
static void inspect(const struct grant_entry_v1 *table, uint32_t at_a, uint32_t at_b)
{
    for (unsigned i = 0; i < OPS; i++)
        if (ops[i].status != (i % 3 == 2 ? GNTST_bad_gntref : GNTST_okay))
            fail("operation %u has status %d", i, ops[i].status);
    check_eq(table[A].frame, at_a);
    check_eq(table[B].frame, at_b);
}

void test_main(void)
{
    struct grant_entry_v1 *table = grants_setup_v1(1);

    grant_v1(A, 7, 111, GTF_permit_access);
    grant_v1(B, 7, 222, GTF_permit_access);
    prepare();
    check_eq(hcall(grant_table_op, GNTTABOP_swap_grant_ref, ops, OPS), 0);
    inspect(table, 222, 111);

    struct multicall_entry calls[] = {
        { .op = __HYPERVISOR_xen_version, .args = { 0 } },
        { .op = __HYPERVISOR_grant_table_op, .args = { GNTTABOP_swap_grant_ref, (unsigned long)ops, OPS } },
        { .op = __HYPERVISOR_sched_op, .args = { SCHEDOP_yield } },
        { .op = __HYPERVISOR_grant_table_op, .args = { GNTTABOP_swap_grant_ref, (unsigned long)ops, 1 } },
    };
    prepare();
    check_eq(hcall(multicall, calls, ARRAY_SIZE(calls)), 0);
    check_eq(calls[0].result, 4 << 16 | 17);
    check_eq(calls[1].result, 0);
    check_eq(calls[2].result, 0);
    check_eq(calls[3].result, 0);
    inspect(table, 222, 111);            /* swapped 667 times and once more */

    prepare();
    check_eq(hcall(grant_table_op, GNTTABOP_swap_grant_ref, ops, 0x80000000u), -XEN_EINVAL);
    check_eq(hcall(grant_table_op, GNTTABOP_swap_grant_ref, ops, 0), 0);
    check_eq(ops[0].status, 77);
}
