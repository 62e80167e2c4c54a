/* xen.h - the heart of the guest interface: hypercall numbers, domain ids, virtual interrupts, page-table commands,
 * the pages that Xen and a guest share, and what a PV guest finds when it starts. Facts: xen/include/public/xen.h. */
#ifndef XEN_PUBLIC_XEN_H
#define XEN_PUBLIC_XEN_H

#include "types.h"

/* __HYPERVISOR_<name>: enumerators in C, symbols in assembly. */
#ifdef __ASSEMBLER__
#define HYPERCALL(number, name, nargs) .set __HYPERVISOR_##name, number
#include "hypercalls.def"
#undef HYPERCALL
#else
enum xen_hypercall {
#define HYPERCALL(number, name, nargs) __HYPERVISOR_##name = number,
#include "hypercalls.def"
#undef HYPERCALL
};
#endif
#define NR_HYPERCALLS 64

/* Architecture-specific part: selectors, address-space holes, cpu_user_regs, vcpu_guest_context. */
#if defined(XEN_ABI_X86_64)
#include "arch/x86_64.h"
#elif defined(XEN_ABI_X86_32)
#include "arch/x86_32.h"
#else
#include "arch/arm.h"
#endif

/* ---- domain ids ---- */
#define DOMID_FIRST_RESERVED 0x7FF0
#define DOMID_SELF           0x7FF0   /* whoever calls */
#define DOMID_IO             0x7FF1   /* memory that is not RAM */
#define DOMID_XEN            0x7FF2   /* the hypervisor's own shared frames */
#define DOMID_COW            0x7FF3
#define DOMID_INVALID        0x7FF4
#define DOMID_IDLE           0x7FFF
#define DOMID_MASK           0x7FFF

/* ---- virtual interrupts: V per vcpu, G one for the whole domain ---- */
#define VIRQ_TIMER       0    /* V: time has passed, or a timer that was asked for is due */
#define VIRQ_DEBUG       1    /* V: the guest is asked to dump its state */
#define VIRQ_CONSOLE     2    /* G (control domain) */
#define VIRQ_DOM_EXC     3    /* G (control domain): a domain changed its state */
#define VIRQ_TBUF        4    /* G (control domain) */
#define VIRQ_DEBUGGER    6    /* G (control domain) */
#define VIRQ_XENOPROF    7    /* V */
#define VIRQ_CON_RING    8    /* G (control domain) */
#define VIRQ_PCPU_STATE  9    /* G (control domain) */
#define VIRQ_MEM_EVENT   10   /* G (control domain) */
#define VIRQ_ARGO        11   /* G */
#define VIRQ_ENOMEM      12   /* G (control domain) */
#define VIRQ_XENPMU      13   /* V */
#define VIRQ_ARCH_0      16
#define VIRQ_ARCH_1      17
#define VIRQ_ARCH_2      18
#define VIRQ_ARCH_3      19
#define VIRQ_ARCH_4      20
#define VIRQ_ARCH_5      21
#define VIRQ_ARCH_6      22
#define VIRQ_ARCH_7      23
#define NR_VIRQS         24

/* ---- mmu_update: the command is in bits 0-1 of mmu_update.ptr ---- */
#define MMU_NORMAL_PT_UPDATE       0   /* write a checked page-table entry */
#define MMU_MACHPHYS_UPDATE        1   /* write the machine-to-phys entry of a frame */
#define MMU_PT_UPDATE_PRESERVE_AD  2   /* as 0, but keep accessed and dirty bits that are set meanwhile */
#define MMU_PT_UPDATE_NO_TRANSLATE 3   /* as 0; val holds a machine frame whatever the paging mode */

/* ---- mmuext_op.cmd ---- */
#define MMUEXT_PIN_L1_TABLE       0
#define MMUEXT_PIN_L2_TABLE       1
#define MMUEXT_PIN_L3_TABLE       2
#define MMUEXT_PIN_L4_TABLE       3
#define MMUEXT_UNPIN_TABLE        4
#define MMUEXT_NEW_BASEPTR        5
#define MMUEXT_TLB_FLUSH_LOCAL    6
#define MMUEXT_INVLPG_LOCAL       7
#define MMUEXT_TLB_FLUSH_MULTI    8
#define MMUEXT_INVLPG_MULTI       9
#define MMUEXT_TLB_FLUSH_ALL      10
#define MMUEXT_INVLPG_ALL         11
#define MMUEXT_FLUSH_CACHE        12
#define MMUEXT_SET_LDT            13
#define MMUEXT_NEW_USER_BASEPTR   15
#define MMUEXT_CLEAR_PAGE         16
#define MMUEXT_COPY_PAGE          17
#define MMUEXT_FLUSH_CACHE_GLOBAL 18
#define MMUEXT_MARK_SUPER         19
#define MMUEXT_UNMARK_SUPER       20

/* ---- flags of update_va_mapping: a flush type, a scope, and for MULTI the address of a vcpu bitmap ---- */
#define UVMF_NONE           0
#define UVMF_TLB_FLUSH      1
#define UVMF_INVLPG         2
#define UVMF_FLUSHTYPE_MASK 3
#define UVMF_MULTI          0
#define UVMF_LOCAL          0
#define UVMF_ALL            4

/* ---- console_io ---- */
#define CONSOLEIO_write 0
#define CONSOLEIO_read  1

/* ---- vm_assist ---- */
#define VMASST_CMD_enable                0
#define VMASST_CMD_disable               1
#define VMASST_TYPE_4gb_segments         0
#define VMASST_TYPE_4gb_segments_notify  1
#define VMASST_TYPE_writable_pagetables  2
#define VMASST_TYPE_pae_extended_cr3     3
#define VMASST_TYPE_architectural_iopl   4
#define VMASST_TYPE_runstate_update_flag 5
#define VMASST_TYPE_m2p_strict           32

/* ---- start_info.flags ---- */
#define SIF_PRIVILEGED      (1 << 0)
#define SIF_INITDOMAIN      (1 << 1)
#define SIF_MULTIBOOT_MOD   (1 << 2)
#define SIF_MOD_START_PFN   (1 << 3)   /* mod_start is a frame number, not an address */
#define SIF_VIRT_P2M_4TOOLS (1 << 4)
#define SIF_PM_MASK         (0xFF << 8)
#define MAX_GUEST_CMDLINE   1024

#ifndef __ASSEMBLER__

struct mmu_update {
    uint64_t ptr;                 /* machine address of the entry, command in bits 0-1 */
    uint64_t val;
};
typedef struct mmu_update mmu_update_t;

struct mmuext_op {
    uint32_t cmd;
    union {
        xen_pfn_t mfn;            /* pin, unpin, base pointers, clear and copy page */
        xen_ulong_t linear_addr;  /* invlpg, set_ldt */
    } arg1;
    union {
        uint32_t nr_ents;         /* set_ldt */
        XEN_GUEST_HANDLE(const void) vcpumask;
        xen_pfn_t src_mfn;        /* copy page */
    } arg2;
};
typedef struct mmuext_op mmuext_op_t;

struct multicall_entry {
    xen_ulong_t op;
    xen_ulong_t result;
    xen_ulong_t args[6];
};
typedef struct multicall_entry multicall_entry_t;

/* Time of one vcpu: ns = system_time + (((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32).
 * `version` is odd while the hypervisor writes. A negative shift goes to the right. */
struct vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;                /* XEN_PVCLOCK_* */
    uint8_t pad1[2];
};
typedef struct vcpu_time_info vcpu_time_info_t;
#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0)
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1)

struct vcpu_info {
    uint8_t evtchn_upcall_pending;    /* Xen sets, the guest clears before it looks */
    uint8_t evtchn_upcall_mask;       /* the guest's virtual interrupt flag, inverted */
    xen_ulong_t evtchn_pending_sel;   /* bit n: word n of shared_info.evtchn_pending has news */
    struct arch_vcpu_info arch;
    struct vcpu_time_info time;
};
typedef struct vcpu_info vcpu_info_t;

struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    xen_ulong_t evtchn_pending[sizeof(xen_ulong_t) * 8];
    xen_ulong_t evtchn_mask[sizeof(xen_ulong_t) * 8];
    uint32_t wc_version;              /* wall clock at system time 0; odd while it is written */
    uint32_t wc_sec;
    uint32_t wc_nsec;
#if !defined(XEN_ABI_X86_32)
    uint32_t wc_sec_hi;               /* on 32-bit x86 it is in arch */
#endif
    struct arch_shared_info arch;
};
typedef struct shared_info shared_info_t;

/* Ports of the 2-level event channel interface. */
#define EVTCHN_2L_NR_CHANNELS (sizeof(xen_ulong_t) * sizeof(xen_ulong_t) * 64)

/* What a PV kernel's start register (rsi, esi) points to. */
struct start_info {
    char magic[32];                   /* "xen-3.0-x86_64" and the like */
    xen_ulong_t nr_pages;
    xen_ulong_t shared_info;          /* machine address */
    uint32_t flags;                   /* SIF_* */
    xen_pfn_t store_mfn;
    uint32_t store_evtchn;
    union {
        struct {
            xen_pfn_t mfn;
            uint32_t evtchn;
        } domU;
        struct {
            uint32_t info_off;
            uint32_t info_size;
        } dom0;
    } console;
    /* from here on: only at boot, not after a resume */
    xen_ulong_t pt_base;              /* linear address of the top page table */
    xen_ulong_t nr_pt_frames;
    xen_ulong_t mfn_list;             /* linear address of the p2m */
    xen_ulong_t mod_start;            /* linear address, or pfn with SIF_MOD_START_PFN */
    xen_ulong_t mod_len;
    char cmd_line[MAX_GUEST_CMDLINE];
    xen_ulong_t first_p2m_pfn;        /* where the p2m lies when INIT_P2M placed it */
    xen_ulong_t nr_p2m_frames;
};
typedef struct start_info start_info_t;

#endif /* !__ASSEMBLER__ */
#endif
