/* mm.h - machine frames and their types: what the mm_*.c files share. Direct paging itself is x86's (x86/direct_paging.h).
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

enum { PT_ENTRIES = 512 };
enum { MM_WORK_LIMIT = 1 << 17, MM_WORK_REQUEST = 32, PT_PARTIAL_CHILD = 1 << 16 };
enum { MM_AGAIN = -85 };                  /* -ERESTART: interrupted, ask again */
#define M2P_INVALID (~UINT64_C(0))

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

/* ---- mm_audit.c ---- */
struct audit {
    struct hv *hv;
    uint32_t *refs, *types;      /* [frames]: how many there must be */
    int32_t *linear;
    struct differences found;
};
/* Somebody holds a reference, and one of `type` unless that is PGT_none. */
void mm_hold(struct audit *a, uint64_t mfn, uint32_t type, const char *who, uint64_t id);

/* ---- direct paging: tables and descriptor pages among the frames' uses ---- */
/* What page types other than writable mean. One table of the architecture that has them (x86/machine.c). */
struct direct_paging {
    /* Take (drop) the references of all entries, from page_info.cursor on; 0, MM_AGAIN, -errno (promote). When it is not 0,
     * the cursor says how far it came. */
    int (*promote)(struct hv *hv, uint64_t mfn, uint32_t type);
    int (*demote)(struct hv *hv, uint64_t mfn, uint32_t type);
    /* The vcpu lets go of its base pointers and descriptor pages. */
    void (*vcpu_destroyed)(struct hv *hv, struct vcpu *v);
    /* What a validated or interrupted frame of a type holds, and what a vcpu does, by mm_hold(). */
    void (*audit_frame)(struct audit *a, uint64_t mfn);
    void (*audit_vcpu)(struct audit *a, const struct vcpu *v);
};
extern const struct direct_paging DIRECT_PAGING __attribute__((weak));   /* NULL: that architecture is not there */
#endif
