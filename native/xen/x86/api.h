/* api.h - what Python sees of x86 domains beside ../xen.h, which includes it (also preprocessed into cffi). */
#ifndef XENLAB_X86_API_H
#define XENLAB_X86_API_H
#include "insn.h"

/* ---- paging of HVM and PVH guests ---- */
/* How addresses of HVM and PVH guests are translated: their tables are walked at each TLB miss, or shadows of these are kept.
 * No part of the state: instruction counts and hashes are the same. hv_set_paging(): 0 or -EINVAL. */
enum { HV_PAGING_WALK = 0, HV_PAGING_SHADOW = 1 };
int hv_set_paging(struct hv *hv, uint32_t mode);
uint32_t hv_paging(const struct hv *hv);
/* Forget all shadows; they are made anew. */
void hv_shadow_drop(struct hv *hv);
/* Statistics. found: misses of the TLB that were answered; filled: walks that were kept; recycled: shadows that went to make
 * room; changed: shadows of tables that were written to. capacity, in_use: tables of 4 KiB. */
struct hv_shadow_counts { uint64_t found, filled, recycled, changed, capacity, in_use; };
void hv_shadow_statistics(const struct hv *hv, struct hv_shadow_counts *out);
/* What a shadow stands for. All are tables of 512 entries for 9 bits of the address: guest tables of 1024 entries have
 * several shadows, told apart by `sub`; a large page has tables of small ones, which no guest table stands behind. */
enum shadow_kind {
    SHADOW_L1, SHADOW_L2, SHADOW_L3, SHADOW_L4,   /* tables of 8-byte entries, by level */
    SHADOW_PAE,                   /* the four top entries of PAE; sub: where in their frame, in units of 32 bytes */
    SHADOW_L1_32,                 /* half a table of 4-byte entries; sub: which */
    SHADOW_L2_32,                 /* a quarter of a directory, each entry twice: for 2 MiB; sub: which */
    SHADOW_TOP_32,                /* its four quarters */
    SHADOW_LARGE1,                /* of a large page: 512 frames, of which `frame` is the first, a guest's */
    SHADOW_LARGE2                 /* of one of 1 GiB: 512 of these */
};
/* How an address of an HVM or PVH guest is translated at this moment: by the guest's tables as they are, and by what shadows
 * have of it. Index 0 of an array is level 1. */
struct hv_guest_walk {
    uint64_t root;                /* CR3 */
    uint64_t entry[4], place[4];  /* of the guest's tables, as far as they were read; place: in machine memory */
    uint64_t gfn, p2m;            /* if mapped: the guest frame with regard to address line 20, and the p2m's entry for it */
    uint32_t levels;              /* of the guest's tables: 4, 3 (PAE), 2; 0: paging is off */
    uint32_t last;                /* the level where the walk ended */
    bool mapped;
    uint32_t shadow_levels;       /* 4, 3; 0: the vcpu has none for its present table and mode */
    struct hv_shadow_step {
        uint64_t frame;           /* what it is a shadow of; see enum shadow_kind */
        uint64_t to;              /* level 1: a machine frame; else the number of the shadow below */
        uint32_t number;
        uint16_t slot;
        uint8_t kind, sub;        /* enum shadow_kind */
        bool reached, present, writable, user, dirty, no_exec, read_only;   /* read_only: by the p2m */
    } shadow[4];
};
/* With ring 0's rights, for reading; nothing is marked or kept. 0, or -EINVAL: the domain is PV. */
int hv_guest_walk(struct hv *hv, const struct vcpu *v, uint64_t va, struct hv_guest_walk *out);

/* ---- full virtualisation ---- */
struct hvm_domain *hv_hvm_domain(struct hv *hv, const struct domain *d);
struct hvm_vcpu *hv_hvm_vcpu(struct hv *hv, const struct vcpu *v);
/* The reset line of the whole machine: processors, interrupt controllers, device timers. */
void hv_hvm_reset(struct hv *hv, struct domain *d);
/* The guest says in which mode it is (it sets up its hypercall page, or its callback): shared_info is laid out for that. */
void hv_latch_width(struct hv *hv, struct vcpu *v);
/* The guest chooses how its events come: the value of HVM_PARAM_CALLBACK_IRQ, and the interrupt lines that this means. */
void hv_set_callback(struct hv *hv, struct domain *d, uint64_t via, uint64_t lines);
/* The callback is the same as before, and means other interrupt lines from now on. */
void hv_move_callback(struct hv *hv, struct domain *d, uint64_t lines);
/* A vcpu's events come another way from now on: what is pending comes by it. */
void hv_assert_events(struct hv *hv, struct vcpu *v);
/* One page of the linear address space, with ring 0's rights and no accessed bits: its guest-physical address, ~0: none. */
uint64_t hv_linear_page(struct hv *hv, struct vcpu *v, uint64_t va);

/* ---- the PV cpu ---- */
/* Load the cpu with what its vcpu's state says: page table of its mode, GDT, LDT, CR0.TS, CR4, debug registers. */
void hv_vcpu_load(struct hv *hv, struct vcpu *v);
/* Make `mfn` the vcpu's top-level table, of the kernel or of user mode; takes the references, drops the old table's. */
int hv_set_base_pointer(struct hv *hv, struct vcpu *v, uint64_t mfn, bool user);
/* As the set_gdt hypercall: takes references to the frames, drops the old ones'. 0 or -EINVAL */
int hv_set_gdt(struct hv *hv, struct vcpu *v, const uint64_t *frames, uint32_t entries);
/* Fill a frame with the hypercall page of a 64-bit PV guest. */
void hv_hypercall_page(struct hv *hv, uint64_t mfn);
/* The first context of a 64-bit PV vcpu, from a struct vcpu_guest_context. 0, or the number of the rule (rules.def) that
 * refuses it, with its facts; then nothing has changed. */
uint32_t hv_set_vcpu_context(struct hv *hv, struct vcpu *v, const void *context, uint64_t facts[4]);
#endif
