/* direct_paging.h - a PV guest's page tables, which the processor walks as they are: what the mm_*.c files of this folder share. The
 * rules are told in ../mm.h.
 */
#ifndef XENLAB_DIRECT_PAGING_H
#define XENLAB_DIRECT_PAGING_H
#include "../mm.h"

/* Page-table entry bits: Intel SDM volume 3, 4.5. */
#define PTE_P UINT64_C(0x001)
#define PTE_RW UINT64_C(0x002)
#define PTE_USER UINT64_C(0x004)
#define PTE_PWT UINT64_C(0x008)
#define PTE_PCD UINT64_C(0x010)
#define PTE_A UINT64_C(0x020)
#define PTE_D UINT64_C(0x040)
#define PTE_PSE UINT64_C(0x080)           /* L1: PAT */
#define PTE_GLOBAL UINT64_C(0x100)
#define PTE_AVAIL UINT64_C(0xe00)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)
#define PTE_AVAIL_HIGH UINT64_C(0x7ff0000000000000)
#define PTE_GUEST_KERNEL (UINT64_C(1) << 52)   /* Xen's mark on entries that had no USER bit */
#define PTE_NX (UINT64_C(1) << 63)

/* Flags that an unprivileged guest may not set (Xen's L1_DISALLOW_MASK .. L4_DISALLOW_MASK without passed-through
 * devices): cache attributes and PAT/PSE; GLOBAL above level 1. */
#define L1_DISALLOW (PTE_PWT | PTE_PCD | PTE_PSE)
#define TABLE_DISALLOW (PTE_PWT | PTE_PCD | PTE_PSE | PTE_GLOBAL)
/* Flags that may change without taking the references anew. */
#define FASTPATH_FLAGS (PTE_NX | PTE_AVAIL_HIGH | PTE_AVAIL | PTE_GLOBAL | PTE_D | PTE_A | PTE_USER)

#define ADDR_HOLE_START UINT64_C(0x0000800000000000)    /* not canonical, then Xen's */
#define ADDR_XEN_START UINT64_C(0xffff800000000000)
#define ADDR_XEN_END UINT64_C(0xffff880000000000)
#define ADDR_GDT_WINDOW UINT64_C(0xffff82d000000000)    /* 0x20000 a vcpu slot: 16 GDT pages, 16 LDT pages */

enum { L4_XEN_FIRST = 256, L4_XEN_LAST = 271, LDT_PAGES = 16, GDT_GUEST_PAGES = 14 };

static inline bool addr_ok(uint64_t va) { return va < ADDR_HOLE_START || va >= ADDR_XEN_END; }
static inline uint64_t pte_mfn(uint64_t pte) { return (pte & PTE_ADDR) >> 12; }
static inline bool l4_xen_slot(unsigned slot) { return slot >= L4_XEN_FIRST && slot <= L4_XEN_LAST; }

/* ---- mm_validate.c ---- */
/* struct direct_paging */
int mm_promote(struct hv *hv, uint64_t mfn, uint32_t type);
int mm_demote(struct hv *hv, uint64_t mfn, uint32_t type);
/* The references of one present entry: of an L1 entry that maps a frame of `pg_domid`, of a table entry at `level`. */
int mm_l1e_get(struct hv *hv, uint64_t pte, uint16_t pg_domid);
void mm_l1e_put(struct hv *hv, uint64_t pte);
/* `partial`: the page reference is held already (get); only carry on (put). */
int mm_table_entry_get(struct hv *hv, uint32_t level, uint64_t table, uint64_t pte, bool partial);
int mm_table_entry_put(struct hv *hv, uint64_t table, uint64_t pte, bool partial);

/* What Xen makes of a present entry: 64-bit PV runs kernel and user at CPL 3, so every entry is USER; bit 52 remembers
 * the entries that were not, and the others are GLOBAL, as they are the same in both of the guest's page tables. */
static inline uint64_t l1e_adjust(uint64_t pte)
{
    if (!(pte & PTE_USER))
        pte |= PTE_GUEST_KERNEL | PTE_USER;
    if (!(pte & PTE_GUEST_KERNEL))
        pte |= PTE_GLOBAL;
    return pte;
}

/* ---- mm_entry.c ---- */
/* Write an entry of a table in use; notes when translations went stale. */
void mm_write_entry(struct hv *hv, uint64_t table, unsigned slot, uint64_t old, uint64_t pte);
int mm_mod_l1(struct hv *hv, uint64_t table, unsigned slot, uint64_t pte, bool preserve_ad, uint16_t pg_domid);
int mm_mod_table(struct hv *hv, uint32_t level, uint64_t table, unsigned slot, uint64_t pte, bool preserve_ad);
/* Find the L1 table that maps `va` in the kernel's page table of the vcpu (the kernel makes the hypercalls, and its
 * mapping of the LDT counts in user mode too); 0 and *table, *slot, or the level at which the
 * walk ended (4..2), or 5 for an address that is not the guest's. */
unsigned mm_find_l1(struct hv *hv, const struct vcpu *v, uint64_t va, uint64_t *table, unsigned *slot);

/* ---- mm_update.c ---- */
/* The requests of one call from `va` on; counts those done in *i. 0, -errno, MM_AGAIN. */
typedef int64_t batch_fn(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t count, uint32_t foreign, uint32_t *i);
/* mmu_update and mmuext_op: array, count, *pdone, owner; requests of `size` bytes; continuations. */
int64_t mm_batch(struct hv *hv, struct vcpu *v, uint64_t args[6], uint32_t size, batch_fn *run);

/* ---- mm_owner.c ---- */
struct pg_owner { uint16_t domid; bool self; };
/* Xen's get_pg_owner() and the default security check behind it; `io`: DOMID_IO may be named. 0 or -errno */
int mm_pg_owner(struct hv *hv, struct vcpu *v, uint16_t domid, bool io, struct pg_owner *out);

/* ---- mm_memory.c ---- */
/* The requests of a batch, read in place as long as the page-table entries on the way to them stay what they were: an
 * update of the batch may change the very mapping that it is read through. `host` starts as NULL. */
struct guest_array { uint64_t page_va; const uint8_t *host; struct x86_walk walk; };
int mm_array_read(struct hv *hv, struct vcpu *v, struct guest_array *cache, uint64_t va, void *out, uint32_t size);

/* ---- mm_audit_tables.c: struct direct_paging ---- */
void mm_audit_frame(struct audit *a, uint64_t mfn);
void mm_audit_vcpu(struct audit *a, const struct vcpu *v);

/* The validity of a descriptor page (segment.c). 0 or -errno */
int seg_validate_frame(struct hv *hv, struct domain *d, uint64_t mfn);
/* ---- for the files of the PV cpu ---- */
hypercall_fn do_mmu_update, do_update_va_mapping, do_update_va_mapping_otherdomain, do_mmuext_op;
/* The guest's #PF at `va`: a kernel's store to a read-only L1 table of its own? Then it is executed. *handled false: not
 * one, or refused; bounce the fault. Returns what the engine's callback should; false at once when the instruction
 * has to be decoded first. */
bool mm_emulate_pt_write(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t error, bool *handled);
/* Switch the cpu to the page table of the vcpu's current mode. */
void mm_load_cr3(struct hv *hv, struct vcpu *v);
/* engine_ops.translate; ctx is the hv. */
bool mm_translate(void *ctx, struct cpu *cpu, uint64_t va, enum access access, bool user, struct mapping *map);
/* Drop the cached pages of the vcpu's LDT (SET_LDT, a new base pointer). */
void mm_put_ldt(struct hv *hv, struct vcpu *v);
/* A store of `size` bytes (1, 2, 4, 8, aligned) at machine address pa, which the caller knows to lie in a validated L1
 * table of the vcpu's domain. 0 or -errno */
int mm_ptwr_store(struct hv *hv, struct vcpu *v, uint64_t pa, uint64_t value, uint32_t size);

#endif
