/* mm.h - machine frames, their types, and direct paging: what the mm_*.c files share.
 *
 * The rules are those of xen/arch/x86/mm.c; the essay on them:
 *
 * A PV guest owns its page tables: the processor walks the very frames that the guest filled in, with machine frame
 * numbers inside. What keeps it honest is that each frame has ONE use at a time, written in its page_info:
 *
 *  - References (ref_info) say that somebody needs the frame to stay what it is and whose it is. One is the owner's
 *    (PGC_ALLOCATED); every present L1 entry, every type reference and every internal user holds one more. The frame
 *    goes back to the allocator when the last is dropped, so a frame that is mapped anywhere is never reused.
 *  - Type references (type_info) say what the frame is used as: an L1..L4 table, a page of descriptors, or data that
 *    is mapped writable. The type can change only while the count is zero. Hence a frame that is a validated table is
 *    writable nowhere, and a frame that is writable somewhere cannot be a table. Read-only mappings need no type.
 *  - A count that goes 0 -> 1 on a table type validates: every entry is examined and takes its own references on what
 *    it points to. 1 -> 0 undoes that. While the count is above zero the contents change only through us.
 *
 * Who holds what, so that hv_audit() can recompute it all:
 *
 *    present L1 entry                    1 reference, and 1 writable type reference if _PAGE_RW
 *    present L2..L4 entry                1 reference and 1 type reference of the level below; a linear entry (same
 *                                        level, read-only) the same of its own level; one to its own table: nothing
 *    PGT_PINNED                          1 reference and 1 type reference
 *    vcpu.cr3_kernel, cr3_user           1 reference and 1 PGT_l4 type reference each
 *    vcpu.gdt_frames[0..13], ldt_frames  1 reference and 1 PGT_seg type reference each
 *    vcpu.info_pa off the shared_info frame, vcpu.fifo_control_frame, domain.fifo_page[], domain.pirq_eoi_frame
 *                                        1 reference and 1 writable type reference each
 *    domain.store_frame, console_frame as far as rings_held says so
 *                                        1 reference and 1 writable type reference each
 *    PGC_XEN_HEAP frames                 1 writable type reference, for ever
 *    maptrack entry, GNTMAP_device_map   1 reference, and 1 writable type reference unless read-only
 *    (GNTMAP_host_map is its L1 entry)
 *
 *    PGC_PARTIAL                         1 reference, and the 1 type reference that there is
 *    vcpu.old_table                      1 reference, and 1 type reference unless it is PGC_PARTIAL
 *
 * Bounded work: hv->mm_work counts examined entries. When it passes hv->mm_work_limit inside mmu_update or mmuext_op,
 * the hypercall asks for a continuation, in the middle of a tree if need be: a table of level 2 to 4 whose validation
 * or teardown was interrupted is PGC_PARTIAL with a type count of 1, not VALIDATED, and its cursor says which entries
 * hold references (with PT_PARTIAL_CHILD the entry at the cursor holds its page reference, and its child is partial).
 * Whoever asks for the same type again carries the validation on; the calling vcpu carries teardowns on (old_table)
 * before it starts anything new. Everywhere else (builder, emulated mov cr3, destruction) work runs to its end.
 *
 * Translations that may be cached are those whose entries have the accessed bit set, as only the walker fills the
 * TLBs and it sets the bit first. A present entry with A set that loses anything sets hv->tlb_stale.
 */
#ifndef XENLAB_MM_H
#define XENLAB_MM_H
#include "hv.h"

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

enum { PT_ENTRIES = 512, L4_XEN_FIRST = 256, L4_XEN_LAST = 271, LDT_PAGES = 16, GDT_GUEST_PAGES = 14 };
enum { MM_WORK_LIMIT = 1 << 17, MM_WORK_REQUEST = 32, PT_PARTIAL_CHILD = 1 << 16 };
enum { MM_AGAIN = -85 };                  /* -ERESTART: interrupted, ask again */
#define M2P_INVALID (~UINT64_C(0))

static inline bool addr_ok(uint64_t va) { return va < ADDR_HOLE_START || va >= ADDR_XEN_END; }
static inline uint64_t pte_mfn(uint64_t pte) { return (pte & PTE_ADDR) >> 12; }
static inline bool l4_xen_slot(unsigned slot) { return slot >= L4_XEN_FIRST && slot <= L4_XEN_LAST; }

static inline struct page_info *mm_page(struct hv *hv, uint64_t mfn)
{
    return mfn < hv->s->frames ? &hv->pages[mfn] : NULL;
}
static inline uint32_t page_type(const struct page_info *page) { return page->type_info >> PGT_TYPE_SHIFT; }
static inline uint32_t page_type_count(const struct page_info *page) { return page->type_info & PGT_COUNT_MASK; }
static inline uint32_t page_refs(const struct page_info *page) { return page->ref_info & PGC_COUNT_MASK; }
static inline uint64_t *mm_table(struct hv *hv, uint64_t mfn) { return machine_frame(hv->m, mfn); }

/* Another reference to a frame in use; false: it is free, or the count would overflow. */
static inline bool page_get(struct page_info *page)
{
    uint32_t refs = page_refs(page);
    if (refs == 0 || refs >= PGC_COUNT_MASK - 1)
        return false;
    page->ref_info++;
    return true;
}
void mm_page_released(struct hv *hv, uint64_t mfn);    /* the last reference went */
static inline void page_put(struct hv *hv, uint64_t mfn)
{
    if ((--hv->pages[mfn].ref_info & PGC_COUNT_MASK) == 0)
        mm_page_released(hv, mfn);
}
/* A writable type reference. Needs no validation: it is only refused while the frame is something else. */
static inline bool page_get_writable(struct page_info *page)
{
    uint32_t count = page_type_count(page);
    if (count == 0) {
        page->type_info = ((uint32_t)PGT_writable << PGT_TYPE_SHIFT) | PGT_VALIDATED | 1;
        return true;
    }
    if (page_type(page) != PGT_writable || count == PGT_COUNT_MASK)
        return false;
    page->type_info++;
    return true;
}

/* ---- mm_frames.c ---- */
/* Take the free frame `f`: cleared, one reference, the owner's. The domain's tot_pages is the caller's. */
void mm_take_frame(struct hv *hv, uint64_t f, uint16_t owner);

/* ---- mm_types.c ---- */
/* A type reference (the caller holds a page reference); 0, MM_AGAIN, or -errno with the refusal recorded. */
int mm_type_get(struct hv *hv, uint64_t mfn, uint32_t type);
/* Let a type reference go; 0 or MM_AGAIN. `parent`: the table whose linear entry this was, else NULL. `partial`: only
 * carry on with what was begun. */
int mm_type_put(struct hv *hv, uint64_t mfn, struct page_info *parent, bool partial);
/* Page and type reference together, on a frame of `domid`. */
int mm_page_and_type_get(struct hv *hv, uint64_t mfn, uint16_t domid, uint32_t type);
/* Both let go. What is left to do when work is interrupted waits in vcpu.old_table. */
void mm_page_and_type_put(struct hv *hv, uint64_t mfn);
/* The hypercall of `v` begins (ends): may work be interrupted? */
void mm_begin(struct hv *hv, struct vcpu *v);
void mm_end(struct hv *hv);
/* Carry on with vcpu.old_table; 0 or MM_AGAIN. */
int mm_finish_old(struct hv *hv, struct vcpu *v);
static inline bool mm_interrupted(const struct hv *hv) { return hv->mm_vcpu && hv->mm_work > hv->mm_work_limit; }
/* Did the frame whose validation was just refused become old_table? (Frame 0 never does: it is Xen's.) */
static inline bool mm_became_old(const struct hv *hv, uint64_t mfn)
{
    return hv->mm_vcpu && mfn != 0 && hv->mm_vcpu->old_table == mfn;
}
static inline bool page_partial(const struct page_info *page) { return page->ref_info & PGC_PARTIAL; }

/* ---- mm_validate.c ---- */
/* Take (drop) the references of all entries, from page_info.cursor on; 0, MM_AGAIN, -errno (promote). When it is not 0,
 * the cursor says how far it came. */
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

/* ---- x86/mm_memory.c ---- */
/* The requests of a batch, read in place as long as the page-table entries on the way to them stay what they were: an
 * update of the batch may change the very mapping that it is read through. `host` starts as NULL. */
struct guest_array { uint64_t page_va; const uint8_t *host; struct x86_walk walk; };
int mm_array_read(struct hv *hv, struct vcpu *v, struct guest_array *cache, uint64_t va, void *out, uint32_t size);
#endif
