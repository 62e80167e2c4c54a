/* pv.h - what the files of the PV cpu (traps, frames, emulation, hypercall dispatch) share. */
#ifndef XENLAB_PV_H
#define XENLAB_PV_H
#ifndef XENLAB_HOST
#define XENLAB_HOST
#endif
#include "direct_paging.h"
#include "../../abi/xen.h"

/* Exception vectors and the page-fault error code: AMD64 APM volume 2, chapter 8. */
enum {
    VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_OF = 4, VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_DF = 8,
    VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_AC = 17
};
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };
enum { ERROR_IDT = 2 };           /* selector error code: bit 1, the index is one of the IDT */

#define RFLAGS_TF   0x100ull
#define RFLAGS_IF   0x200ull
#define RFLAGS_DF   0x400ull
#define RFLAGS_IOPL 0x3000ull
#define RFLAGS_NT   0x4000ull
#define RFLAGS_RF   0x10000ull
#define RFLAGS_VM   0x20000ull
#define RFLAGS_AC   0x40000ull
#define RFLAGS_ID   0x200000ull
#define RFLAGS_ARITHMETIC 0x8d5ull

#define CR0_TS      0x8ull
#define CR0_PV      0x80050033ull        /* PG AM WP NE ET MP PE: what Xen sets */
#define CR4_TSD     0x4ull
#define CR4_DE      0x8ull
#define CR4_FSGSBASE 0x10000ull
#define CR4_OSXSAVE 0x40000ull
/* Bits that a PV guest may choose, as far as its CPUID policy has the features, and bits of Xen's that it can see
 * (PAE MCE OSFXSR OSXMMEXCPT): PV_CR4_GUEST_MASK and PV_CR4_GUEST_VISIBLE_MASK. */
#define CR4_PV_VISIBLE 0x660ull
#define EFER_PV     0xd01ull             /* SCE LME LMA NXE */
#define DR6_DEFAULT 0xffff0ff0ull
#define DR6_BS      0x4000ull
#define DR7_DEFAULT 0x400ull

/* ---- addresses ---- */
/* May a guest name this address as its own? Canonical, and not in the hypervisor's hole. */
static inline bool pv_guest_address(uint64_t va) { return va < (1ull << 47) || va >= HYPERVISOR_VIRT_END; }

/* ---- vcpu_info ---- */
/* The vcpu's shared area, or NULL before it has one. Call pv_info_dirty() before a store. */
static inline struct vcpu_info *pv_info(struct hv *hv, const struct vcpu *v)
{
    uint8_t *frame = v->info_pa ? machine_frame(hv->m, v->info_pa >> ENGINE_PAGE_SHIFT) : NULL;
    return frame ? (struct vcpu_info *)(void *)(frame + (v->info_pa & (ENGINE_PAGE_SIZE - 1))) : NULL;
}
static inline void pv_info_dirty(struct hv *hv, const struct vcpu *v)
{
    machine_write_begin(hv->m, v->info_pa >> ENGINE_PAGE_SHIFT);
}
static inline bool pv_upcall_masked(struct hv *hv, const struct vcpu *v)
{
    const struct vcpu_info *info = pv_info(hv, v);
    return info && info->evtchn_upcall_mask;
}
void pv_set_upcall_mask(struct hv *hv, struct vcpu *v, uint8_t mask);

/* ---- bounce.c ---- */
/* Build the frame of trap `vector` on the guest kernel's stack and point the cpu at its handler. false: the guest has
 * no usable handler or stack; the domain is crashed and the exit record says so. */
bool pv_inject_trap(struct hv *hv, struct vcpu *v, const struct trap *trap);
/* Deliver a pending event or NMI if the vcpu can take one. true: a frame was built. */
bool pv_deliver_events(struct hv *hv, struct vcpu *v);
/* Switch between guest kernel and user mode: page table, gs base. */
void pv_toggle_mode(struct hv *hv, struct vcpu *v);
enum { FRAME_ERROR = 1, FRAME_MASK_EVENTS = 2, FRAME_SEGMENTS = 4 };     /* TBF_EXCEPTION_ERRCODE, _INTERRUPT, _FAILSAFE */
/* Build a frame for the handler at `address` and go there. false: no stack or no handler, the domain is crashed. */
bool pv_bounce(struct hv *hv, struct vcpu *v, uint64_t address, uint32_t flags, uint32_t error);
bool pv_inject(struct hv *hv, struct vcpu *v, uint32_t vector, uint32_t error);
bool pv_inject_page_fault(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t error);
bool pv_failsafe(struct hv *hv, struct vcpu *v);
/* The way back from a system call: SYSRET gives rcx and r11 their values and flat selectors. */
void pv_sysret(struct cpu *cpu, struct x86_gprs *g);
/* End of every trap: pending events, stale translations. Result of the engine's callback. */
bool pv_resume(struct hv *hv, struct vcpu *v);
/* The same without a look for events: the run goes on where it was cut. */
bool pv_go_on(struct hv *hv, struct vcpu *v);

/* ---- segment.c ---- */
/* Bits of x86_segment_state.attributes: the descriptor's high word in place. */
enum {
    SEG_ATTR_ACCESSED = 1 << 8, SEG_ATTR_RW = 1 << 9, SEG_ATTR_EC = 1 << 10, SEG_ATTR_CODE = 1 << 11, SEG_ATTR_S = 1 << 12,
    SEG_ATTR_DPL_SHIFT = 13, SEG_ATTR_DPL = 3 << 13, SEG_ATTR_P = 1 << 15, SEG_ATTR_L = 1 << 21, SEG_ATTR_DB = 1 << 22,
    SEG_ATTR_G = 1 << 23
};
void seg_flat(uint32_t selector, struct x86_segment_state *out);         /* FLAT_RING3_* */
bool seg_load(struct hv *hv, struct vcpu *v, enum x86_segment seg, uint32_t selector, struct x86_segment_state *out);
void seg_fill_xen_gdt(uint64_t page[512]);                               /* Xen's page of every GDT */
uint32_t seg_selector(struct cpu *cpu, enum x86_segment seg);
bool seg_check_descriptor(uint64_t *descriptor);

/* What a 64-bit PV guest's processor is from the first to the last instruction: long mode, CPL 3, paging. (pv_cpu.c) */
void pv_reset_cpu(struct cpu *cpu, uint32_t slot);
/* May a segment register hold this at CPL 3, beside a null selector's nothing? (segment.c) */
bool seg_loadable(enum x86_segment seg, uint32_t attributes);
/* Are the vcpu's debug registers what pv_set_debugreg() lets through? (pvops_debug.c) */
bool pv_debugregs_ok(const struct vcpu *v);

/* ---- for the tables of arch.h ---- */
extern const struct shared_layout X86_SHARED_64, X86_SHARED_32;                         /* shared.c */
/* What every x86 vcpu has from birth. (arch_pv.c) */
void x86_vcpu_born(struct vcpu *v);
uint64_t x86_code_base(struct cpu *cpu);
uint64_t x86_registers(struct cpu *cpu, struct evidence *out);
void x86_set_result(struct hv *hv, const struct vcpu *v, int64_t result);
uint8_t *pv_memory(struct hv *hv, struct vcpu *v, uint64_t va, enum access access);     /* mm_memory.c */
const uint8_t *pv_peek(struct hv *hv, const struct vcpu *v, uint64_t va);
int pv_map_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame);       /* mm_grant.c */
int pv_replace_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags, uint64_t frame);
extern hypercall_fn *const PV_CALLS[];                                                  /* syscall.c */
void pv_call_again(struct hv *hv, struct vcpu *v, uint64_t nr, const uint64_t *args, unsigned count);
struct validation;
const char *pv_bad_register(const struct hv *hv, struct cpu *scratch, const struct hv_saved_cpu *saved);   /* validate_cpu.c */
bool pv_vcpu_ok(struct validation *c, struct vcpu *v);

/* ---- trap.c, syscall.c, emulate*.c, hv_cpuid.c ---- */
bool op_exception(void *ctx, struct cpu *cpu, const struct trap *trap);
bool op_syscall(void *ctx, struct cpu *cpu);
bool op_sysenter(void *ctx, struct cpu *cpu);
void op_cpuid(void *ctx, struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* #GP(0): a privileged instruction? Executes it. `*handled` false: not one, or not allowed; bounce the fault. */
bool pv_emulate(struct hv *hv, struct vcpu *v, bool *handled);
/* May the current mode use I/O instructions and cli/sti by its I/O privilege level? */
bool pv_iopl_ok(struct hv *hv, const struct vcpu *v);
uint64_t pv_fixup_cr4(uint64_t cr4);
void pv_set_guest_cr4(struct hv *hv, struct vcpu *v, uint64_t cr4);
int64_t pv_set_debugreg(struct hv *hv, struct vcpu *v, uint64_t reg, uint64_t value);
/* false: there is no such register */
bool pv_get_debugreg(const struct vcpu *v, uint64_t reg, uint64_t *value);
void pv_set_ts(struct hv *hv, struct vcpu *v, bool set);
int64_t pv_callback(struct hv *hv, struct vcpu *v, uint32_t type, uint32_t flags, uint64_t address);

/* hypercalls that no other file declares */
hypercall_fn do_iret, do_stack_switch, do_fpu_taskswitch, do_set_segment_base, do_update_descriptor, do_set_gdt,
    do_set_trap_table, do_set_callbacks, do_set_debugreg, do_get_debugreg, do_callback_op,
    do_nmi_op;

#endif
