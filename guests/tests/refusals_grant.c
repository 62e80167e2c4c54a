/* @title  rare refusals of grants
 * @fact   grants that are in use too often, handles that run out, transitive grants to nobody, versions that cannot say
 *         what is there, and cache operations that x86 has not, are refused
 * @source xen/include/public/grant_table.h, xen/common/grant_table.c
 * @env    pv64
 */
#include <guest.h>
#include <grants.h>

enum { REF = 8, BATCH = 128, PINS = 128, HANDLES = 32768 };

static struct gnttab_map_grant_ref maps[BATCH];
static domid_t self;

static long flush(uint64_t address, unsigned operation)
{
    struct gnttab_cache_flush op = { .offset = 0, .length = 64, .op = operation };

    op.a.dev_bus_addr = address;
    return hcall(grant_table_op, GNTTABOP_cache_flush, &op, 1);
}

static void cache(uint64_t mfn)
{
    uint64_t own = mfn << PAGE_SHIFT;

    check_eq(flush(own, GNTTAB_CACHE_CLEAN), 0);
    check_eq(flush(own, 4), -XEN_EINVAL);
    check_eq(flush(own, GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_CLEAN), -XEN_EOPNOTSUPP);
    check_eq(flush(own, GNTTAB_CACHE_INVAL), -XEN_EOPNOTSUPP);
    check(flush(0x7ffffffUL << PAGE_SHIFT, GNTTAB_CACHE_CLEAN) < 0);
    check(flush(0, GNTTAB_CACHE_CLEAN) < 0);                        /* Xen's own */
}

/* Map `count` times, each reference from `first` on `pins` times, into entry after entry of pinned L1 tables. Returns the first status that is no success. */
static int map_many(uint32_t first, unsigned count, unsigned pins)
{
    pte_t *table = NULL;
    unsigned slot = 512, done = 0;

    while (done < count) {
        unsigned n = 0;

        for (; n < BATCH && done + n < count; n++, slot++) {
            if (slot == 512) {
                table = page_alloc();
                require_eq(page_readonly(table), 0);
                require_eq(pt_ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table)), 0);
                slot = 0;
            }
            memset(&maps[n], 0, sizeof(maps[n]));
            maps[n].host_addr = pt_machine(&table[slot]);
            maps[n].flags = GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly;
            maps[n].ref = first + (done + n) / pins;
            maps[n].dom = self;
        }
        require_eq(hcall(grant_table_op, GNTTABOP_map_grant_ref, maps, n), 0);
        for (unsigned i = 0; i < n; i++)
            if (maps[i].status)
                return maps[i].status;
        done += n;
    }
    return GNTST_okay;
}

static void version_2(union grant_entry_v2 *table, char *page)
{
    struct gnttab_copy copy = { .len = 8, .flags = GNTCOPY_source_gref };

    /* Transitive to a domain that is not there, and to the granter. */
    static const domid_t to[] = { 0x6000, 0 };
    for (unsigned i = 0; i < ARRAY_SIZE(to); i++) {
        table[REF].transitive.trans_domid = to[i] ? to[i] : self;
        table[REF].transitive.gref = REF + 1;
        table[REF].hdr.domid = self;
        __atomic_store_n(&table[REF].hdr.flags, GTF_transitive, __ATOMIC_SEQ_CST);
        copy.source.u.ref = REF;
        copy.source.domid = self;
        copy.dest.u.gmfn = virt_to_mfn(page);
        copy.dest.domid = DOMID_SELF;
        require_eq(hcall(grant_table_op, GNTTABOP_copy, &copy, 1), 0);
        check_eq(copy.status, GNTST_general_error);
    }
    /* A reserved entry that version 1 cannot express. */
    table[2].transitive.trans_domid = 0;
    table[2].hdr.domid = 0;
    __atomic_store_n(&table[2].hdr.flags, GTF_transitive, __ATOMIC_SEQ_CST);
    check_eq(grants_set_version(1), -XEN_ERANGE);
    __atomic_store_n(&table[2].hdr.flags, GTF_invalid, __ATOMIC_SEQ_CST);
    check_eq(grants_set_version(1), 0);
}

void test_main(void)
{
    struct evtchn_status status = { .dom = DOMID_SELF };
    char *page = page_alloc();

    status.port = (uint32_t)event_alloc_unbound(DOMID_SELF);
    require_eq(hcall(event_channel_op, EVTCHNOP_status, &status), 0);
    self = status.u.unbound.dom;

    cache(virt_to_mfn(page));
    require_eq(grants_set_version(2), 0);
    version_2(grants_setup_v2(1), page);

    grants_setup_v1(1);
    for (uint32_t ref = REF; ref < 512; ref++)
        grant_v1(ref, self, virt_to_mfn(page), GTF_permit_access | GTF_readonly);
    /* One grant more often than its count can say. */
    check_eq(map_many(REF, PINS + 1, PINS + 1), GNTST_general_error);
    /* More mappings than there are handles. */
    check_eq(map_many(REF + 1, HANDLES, PINS), GNTST_no_device_space);
}
