/* mm_update.c - mmu_update, update_va_mapping and update_va_mapping_otherdomain.
 *
 * Invariants. Requests are carried out in order; the first that is refused ends the batch, and *pdone then says how
 * many were done. A batch whose work passes MM_WORK_LIMIT comes back as a continuation: the pointer moved on, the
 * count lowered and marked with MMU_UPDATE_PREEMPTED, as Xen marks it, so that *pdone adds up.
 * What a request may write depends on the type of the frame that it names: an entry of a validated table goes through
 * mm_entry.c; a frame in no use as a table is plain memory of the guest's, provided it may be writable.
 * TLB flushes that the guest asks for need nothing: see hv->tlb_stale.
 */
#include "../../abi/xen.h"
#include "direct_paging.h"

#define MMU_UPDATE_PREEMPTED 0x80000000u
/* Refused before anything began: the one refusal (tables of a domain that is not there) that leaves *pdone alone. */
enum { MM_NOT_STARTED = -4096 };

/* ptr and val of one table update, with the owners of table and target. */
static int update_entry(struct hv *hv, uint64_t ptr, uint64_t val, bool preserve_ad, uint16_t pt_domid, uint16_t pg_domid)
{
    uint64_t mfn = ptr >> 12;
    unsigned slot = (unsigned)(ptr >> 3) & (PT_ENTRIES - 1);
    struct page_info *page = mm_page(hv, mfn);
    int rc = -EINVAL;
    if (!page || page->owner != pt_domid || !page_get(page))
        return (int)hv_refuse(hv, RULE_mmu_update_frame, ptr, page ? page->owner : (uint64_t)OWNER_NONE, pt_domid, 0);
    uint32_t type = page_type_count(page) ? page_type(page) : (uint32_t)PGT_none;
    bool settled = type == PGT_none || (page->type_info & PGT_VALIDATED);
    if (type == PGT_l1 && settled) {
        rc = mm_mod_l1(hv, mfn, slot, val, preserve_ad, pg_domid);
    } else if (type >= PGT_l2 && type <= PGT_l4 && settled) {
        rc = pg_domid == pt_domid ? mm_mod_table(hv, type, mfn, slot, val, preserve_ad)
                                  : (int)hv_refuse(hv, RULE_mmu_update_foreign_table, type, pg_domid, ptr, val);
    } else if (type == PGT_none || type == PGT_writable) {
        page_get_writable(page);
        machine_write_begin(hv->m, mfn);
        mm_table(hv, mfn)[slot] = val;
        page->type_info--;
        rc = 0;
    } else {
        rc = (int)hv_refuse(hv, RULE_mmu_update_type, mfn, type, ptr, val);
    }
    page_put(hv, mfn);
    return rc;
}

static int machphys_update(struct hv *hv, struct vcpu *v, uint64_t ptr, uint64_t pfn, uint16_t pt_domid,
                           uint16_t pg_domid)
{
    uint64_t mfn = ptr >> 12;
    struct page_info *page = mm_page(hv, mfn);
    if (pt_domid != v->domid)
        return (int)hv_refuse(hv, RULE_other_domain_denied, pt_domid, 0, 0, 0);
    if (!page || page->owner != pg_domid || page_refs(page) == 0)
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE, pg_domid, 0);
    hv_set_m2p(hv, &mfn, 1, pfn);
    return 0;
}

static int one_request(struct hv *hv, struct vcpu *v, const struct mmu_update *req, uint16_t pt_domid,
                       uint16_t pg_domid)
{
    unsigned cmd = (unsigned)req->ptr & 7;
    uint64_t ptr = req->ptr & ~UINT64_C(7);
    switch (cmd) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        if (pt_domid != v->domid && !hv_domain(hv, v)->privileged)
            return (int)hv_refuse(hv, RULE_other_domain_denied, pt_domid, 0, 0, 0);
        return update_entry(hv, ptr, req->val, cmd == MMU_PT_UPDATE_PRESERVE_AD, pt_domid, pg_domid);
    case MMU_MACHPHYS_UPDATE:
        return machphys_update(hv, v, ptr, req->val, pt_domid, pg_domid);
    default:
        return (int)hv_refuse(hv, RULE_mmu_update_command, cmd, req->ptr, 0, 0);
    }
}

/* The owner of the tables: domid + 1 in the high half of foreigndom, 0 for the caller's. */
static int table_owner(struct hv *hv, struct vcpu *v, uint32_t foreign, uint16_t *domid)
{
    uint16_t named = (uint16_t)((foreign >> 16) - 1);
    *domid = v->domid;
    if (foreign >> 16 == 0 || named == v->domid)
        return 0;
    struct domain *d = hv_domain_by_id(hv, named);
    if (!d)
        return (int)hv_refuse(hv, RULE_no_such_domain, named, 0, 0, 0);
    if (!hv_vcpu(hv, d, 0))
        return (int)hv_refuse(hv, RULE_mmu_update_no_vcpu, named, 0, 0, 0);
    *domid = named;
    return 0;
}

/* What a batch is told of its start, its length and how much of it is done. */
int64_t mm_batch(struct hv *hv, struct vcpu *v, uint64_t args[6], uint32_t size, batch_fn *run)
{
    uint64_t pdone = args[2];
    uint32_t count = (uint32_t)args[1], done = 0, i = 0;
    bool foreign_result = count == MMU_UPDATE_PREEMPTED && args[0] == 0;
    mm_begin(hv, v);
    int64_t rc = mm_finish_old(hv, v);
    if (rc == 0 && !foreign_result) {
        if (count & MMU_UPDATE_PREEMPTED) {
            count &= ~MMU_UPDATE_PREEMPTED;
            if (pdone && hv_copy_from_guest(hv, v, &done, pdone, sizeof done) != 0)
                done = 0;
        }
        if (count && !addr_ok(args[0]))
            rc = hv_refuse(hv, RULE_bad_guest_pointer, args[0], (uint64_t)count * size, 0, 0);
        else
            rc = run(hv, v, args[0], count, (uint32_t)args[3], &i);
        if (rc == MM_AGAIN) {
            args[0] += (uint64_t)i * size;
            args[1] = (count - i) | MMU_UPDATE_PREEMPTED;
        } else if (v->old_table != 0) {
            /* All done but letting go: the result travels where it is not needed any more. */
            args[3] = (uint32_t)rc;
            args[0] = 0;
            args[1] = MMU_UPDATE_PREEMPTED;
            args[2] = 0;
            rc = MM_AGAIN;
        }
        done += i;
        if (pdone && rc != MM_NOT_STARTED)
            (void)hv_copy_to_guest(hv, v, pdone, &done, sizeof done);
    }
    mm_end(hv);
    if (rc == 0 && foreign_result)
        return (int32_t)args[3];
    return rc == MM_AGAIN ? HV_RETRY : rc == MM_NOT_STARTED ? -ESRCH : rc;
}

static int64_t updates(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t count, uint32_t foreign, uint32_t *i)
{
    uint16_t pt_domid;
    struct pg_owner pg;
    struct guest_array cache;
    int64_t rc = table_owner(hv, v, foreign, &pt_domid);
    if (rc == -ESRCH)
        return MM_NOT_STARTED;
    if (rc == 0)
        rc = mm_pg_owner(hv, v, (uint16_t)foreign, true, &pg);
    cache.host = NULL;
    for (; rc == 0 && *i < count; va += sizeof(struct mmu_update)) {
        struct mmu_update req;
        if (v->old_table != 0 || (*i != 0 && mm_interrupted(hv)))
            return MM_AGAIN;
        hv->mm_work += MM_WORK_REQUEST;
        if (mm_array_read(hv, v, &cache, va, &req, sizeof req) != 0)
            rc = hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof req, 0, 0);
        else
            rc = one_request(hv, v, &req, pt_domid, pg.domid);
        *i += rc == 0;
    }
    return rc;
}

int64_t do_mmu_update(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    return mm_batch(hv, v, args, sizeof(struct mmu_update), updates);
}

/* The set of vcpus that a flush names: read as Xen reads it, since a bad pointer is an error; then it has no effect. */
static int64_t flush_flags(struct hv *hv, struct vcpu *v, uint64_t flags)
{
    uint64_t bitmap = flags & ~(uint64_t)UVMF_FLUSHTYPE_MASK, word, kind = flags & UVMF_FLUSHTYPE_MASK;
    if ((kind != UVMF_TLB_FLUSH && kind != UVMF_INVLPG) || bitmap == UVMF_LOCAL || bitmap == UVMF_ALL)
        return 0;
    if (hv_copy_from_guest(hv, v, &word, bitmap, sizeof word) != 0)
        return hv_refuse(hv, RULE_bad_guest_pointer, bitmap, sizeof word, 0, 0);
    return 0;
}

static int64_t update_va(struct hv *hv, struct vcpu *v, uint64_t va, uint64_t val, uint64_t flags, uint16_t pg_domid)
{
    uint64_t table;
    unsigned slot, level = mm_find_l1(hv, v, va, &table, &slot);
    if (level != 0)
        return hv_refuse(hv, RULE_va_no_l1, va, level, 0, 0);
    struct page_info *page = &hv->pages[table];
    if (page->owner != v->domid || page_type(page) != PGT_l1 || !page_type_count(page))
        return hv_refuse(hv, RULE_va_not_l1, va, table, page_type(page), page->owner);
    int64_t rc = mm_mod_l1(hv, table, slot, val, false, pg_domid);
    return rc ? rc : (flags & UVMF_FLUSHTYPE_MASK) ? flush_flags(hv, v, flags) : 0;
}

int64_t do_update_va_mapping(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    return update_va(hv, v, args[0], args[1], args[2], v->domid);
}

int64_t do_update_va_mapping_otherdomain(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    struct pg_owner pg;
    int64_t rc = mm_pg_owner(hv, v, (uint16_t)args[3], true, &pg);
    return rc ? rc : update_va(hv, v, args[0], args[1], args[2], pg.domid);
}
