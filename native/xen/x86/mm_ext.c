/* mm_ext.c - mmuext_op: pins, base pointers, the LDT, and operations on whole pages.
 *
 * Invariants. Operations are carried out in order, the first refusal ends the batch and *pdone counts what was done;
 * MM_WORK_LIMIT turns a long batch into a continuation. Flushes of the TLB and of single translations are accepted and
 * need no work; those of the caches are refused, as the domain has no device whose memory could be incoherent.
 */
#include "../../abi/xen.h"
#include "direct_paging.h"

typedef int op_fn(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg);

static struct domain *owner_domain(struct hv *hv, const struct pg_owner *pg) { return hv_domain_by_id(hv, pg->domid); }

static int op_pin(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)v;
    return hv_pin_table(hv, owner_domain(hv, pg), op->arg1.mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
}

static int op_unpin(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)v;
    return hv_unpin_table(hv, owner_domain(hv, pg), op->arg1.mfn);
}

static int op_new_base(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)pg;
    return hv_set_base_pointer(hv, v, op->arg1.mfn, op->cmd == MMUEXT_NEW_USER_BASEPTR);
}

static int op_flush(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)hv, (void)v, (void)op, (void)pg;
    return 0;
}

static int op_flush_multi(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    uint64_t word;
    (void)pg;
    if (hv_copy_from_guest(hv, v, &word, op->arg2.vcpumask.va, sizeof word) != 0)
        return (int)hv_refuse(hv, RULE_mmuext_vcpumask, op->cmd, op->arg2.vcpumask.va, 0, 0);
    return 0;
}

static int op_flush_cache(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)v, (void)pg;
    return (int)hv_refuse(hv, op->cmd == MMUEXT_FLUSH_CACHE ? RULE_mmuext_cache : RULE_mmuext_cache_global, op->cmd, 0, 0,
                          0);
}

static int op_set_ldt(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    uint32_t entries = op->arg2.nr_ents;
    uint64_t base = entries ? op->arg1.linear_addr : 0;
    (void)pg;
    if (entries > 8192 || (base & 0xfff) || !addr_ok(base))
        return (int)hv_refuse(hv, RULE_mmuext_ldt, base, entries, 0, 0);
    if (v->ldt_entries == entries && v->ldt_base == base)
        return 0;
    mm_put_ldt(hv, v);
    v->ldt_base = base;
    v->ldt_entries = entries;
    if (hv_cpu_of(hv, v))
        cpu_set_ldt(hv_cpu_of(hv, v), ADDR_GDT_WINDOW + v->slot * UINT64_C(0x20000) + 0x10000,
                    entries ? entries * 8 - 1 : 0);
    return 0;
}

/* The frame of a page operation, held and writable. */
static int hold_writable(struct hv *hv, uint64_t mfn, uint16_t domid)
{
    struct page_info *page = mm_page(hv, mfn);
    if (!page || page->owner != domid || !page_get(page))
        return (int)hv_refuse(hv, RULE_page_owner, mfn, page ? page->owner : (uint64_t)OWNER_NONE, domid, 0);
    if (!page_get_writable(page)) {
        page_put(hv, mfn);
        return (int)hv_refuse(hv, RULE_page_type, mfn, page_type(page), PGT_writable, page_type_count(page));
    }
    machine_write_begin(hv->m, mfn);
    return 0;
}

static int op_clear_page(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)v;
    int rc = hold_writable(hv, op->arg1.mfn, pg->domid);
    if (rc != 0)
        return rc;
    memset(machine_frame(hv->m, op->arg1.mfn), 0, ENGINE_PAGE_SIZE);
    mm_page_and_type_put(hv, op->arg1.mfn);
    return 0;
}

static int op_copy_page(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    uint64_t src = op->arg2.src_mfn;
    (void)v;
    int rc = hv_get_page(hv, src, pg->domid);
    if (rc != 0)
        return rc;
    rc = hold_writable(hv, op->arg1.mfn, pg->domid);
    if (rc == 0) {
        memmove(machine_frame(hv->m, op->arg1.mfn), machine_frame(hv->m, src), ENGINE_PAGE_SIZE);
        mm_page_and_type_put(hv, op->arg1.mfn);
    }
    page_put(hv, src);
    return rc;
}

static int op_super(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    (void)v, (void)pg;
    return (int)hv_refuse(hv, RULE_mmuext_super, op->cmd, 0, 0, 0);
}

/* self_only: the operation concerns the calling vcpu; a foreign domain may not be named. */
static const struct { op_fn *fn; bool self_only; } OPS[] = {
    [MMUEXT_PIN_L1_TABLE] = { op_pin, false },
    [MMUEXT_PIN_L2_TABLE] = { op_pin, false },
    [MMUEXT_PIN_L3_TABLE] = { op_pin, false },
    [MMUEXT_PIN_L4_TABLE] = { op_pin, false },
    [MMUEXT_UNPIN_TABLE] = { op_unpin, false },
    [MMUEXT_NEW_BASEPTR] = { op_new_base, true },
    [MMUEXT_TLB_FLUSH_LOCAL] = { op_flush, true },
    [MMUEXT_INVLPG_LOCAL] = { op_flush, true },
    [MMUEXT_TLB_FLUSH_MULTI] = { op_flush_multi, true },
    [MMUEXT_INVLPG_MULTI] = { op_flush_multi, true },
    [MMUEXT_TLB_FLUSH_ALL] = { op_flush, true },
    [MMUEXT_INVLPG_ALL] = { op_flush, true },
    [MMUEXT_FLUSH_CACHE] = { op_flush_cache, true },
    [MMUEXT_SET_LDT] = { op_set_ldt, true },
    [MMUEXT_NEW_USER_BASEPTR] = { op_new_base, true },
    [MMUEXT_CLEAR_PAGE] = { op_clear_page, false },
    [MMUEXT_COPY_PAGE] = { op_copy_page, false },
    [MMUEXT_FLUSH_CACHE_GLOBAL] = { op_flush_cache, true },
    [MMUEXT_MARK_SUPER] = { op_super, false },
    [MMUEXT_UNMARK_SUPER] = { op_super, false },
};

static int one_op(struct hv *hv, struct vcpu *v, const struct mmuext_op *op, const struct pg_owner *pg)
{
    if (op->cmd >= sizeof OPS / sizeof OPS[0] || !OPS[op->cmd].fn)
        return (int)hv_refuse(hv, RULE_mmuext_command, op->cmd, 0, 0, 0);
    if (OPS[op->cmd].self_only && !pg->self)
        return (int)hv_refuse(hv, RULE_mmuext_self_only, op->cmd, pg->domid, 0, 0);
    return OPS[op->cmd].fn(hv, v, op, pg);
}

static int64_t operations(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t count, uint32_t foreign, uint32_t *i)
{
    struct pg_owner pg;
    int64_t rc = mm_pg_owner(hv, v, (uint16_t)foreign, false, &pg);
    for (; rc == 0 && *i < count; va += sizeof(struct mmuext_op)) {
        struct mmuext_op op;
        if (v->old_table != 0 || (*i != 0 && mm_interrupted(hv)))
            return MM_AGAIN;
        hv->mm_work += MM_WORK_REQUEST;
        if (hv_copy_from_guest(hv, v, &op, va, sizeof op) != 0)
            rc = hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof op, 0, 0);
        else
            rc = one_op(hv, v, &op, &pg);
        *i += rc == 0;
    }
    return rc;
}

int64_t do_mmuext_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    return mm_batch(hv, v, args, sizeof(struct mmuext_op), operations);
}
