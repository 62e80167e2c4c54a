/* mm_owner.c - whose frames a hypercall speaks of, and the vcpu's top-level tables.
 *
 * Invariants. A vcpu's base pointers hold a PGT_l4 type reference and a page reference each, so what the processor
 * walks is validated as long as it can be walked. The new table is held before the old one is let go. A new kernel
 * table drops the cached LDT pages: the LDT is named by a linear address.
 */
#include "../../abi/xen.h"
#include "direct_paging.h"

int mm_pg_owner(struct hv *hv, struct vcpu *v, uint16_t domid, bool io, struct pg_owner *out)
{
    *out = (struct pg_owner){ v->domid, true };
    if (domid == DOMID_SELF)
        return 0;
    *out = (struct pg_owner){ domid, false };
    if (domid == DOMID_IO && io)
        return 0;
    bool special = domid == DOMID_IO || domid == DOMID_XEN;
    if (domid == v->domid || (!special && !hv_domain_by_id(hv, domid)))
        return (int)hv_refuse(hv, RULE_no_such_domain, domid, 0, 0, 0);
    if (special || !hv_domain(hv, v)->privileged)
        return (int)hv_refuse(hv, RULE_other_domain_denied, domid, 0, 0, 0);
    return 0;
}

void mm_load_cr3(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t cr3 = v->kernel_mode ? v->cr3_kernel : v->cr3_user;
    if (cpu && cpu_cr(cpu, 3) != cr3)
        cpu_set_cr(cpu, 3, cr3);
}

int hv_set_base_pointer(struct hv *hv, struct vcpu *v, uint64_t mfn, bool user)
{
    uint64_t *base = user ? &v->cr3_user : &v->cr3_kernel;
    uint64_t old = *base >> 12;
    if (mfn == old && (user || mfn != 0))
        return 0;
    if (!user || mfn != 0) {
        int rc = mm_page_and_type_get(hv, mfn, v->domid, PGT_l4);
        if (rc != 0)
            return rc;
    }
    if (!user)
        mm_put_ldt(hv, v);
    *base = mfn << 12;
    mm_load_cr3(hv, v);
    if (old != 0)
        mm_page_and_type_put(hv, old);
    return 0;
}
