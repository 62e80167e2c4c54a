/* x86.h - what 32-bit and 64-bit x86 guests have in common. Facts: xen/include/public/arch-x86/xen.h and cpuid.h.
 * Included by x86_64.h and x86_32.h. */
#ifndef XEN_PUBLIC_ARCH_X86_H
#define XEN_PUBLIC_ARCH_X86_H

/* vcpu_info structures inside shared_info; vcpus beyond that register their own */
#define XEN_LEGACY_MAX_VCPUS 32

/* The guest's GDT ends where the hypervisor's own descriptors begin. */
#define FIRST_RESERVED_GDT_PAGE  14
#define FIRST_RESERVED_GDT_BYTE  (FIRST_RESERVED_GDT_PAGE * 4096)
#define FIRST_RESERVED_GDT_ENTRY (FIRST_RESERVED_GDT_BYTE / 8)

/* trap_info.flags */
#define TI_GET_DPL(ti) ((ti)->flags & 3)
#define TI_GET_IF(ti)  ((ti)->flags & 4)
#define TI_SET_DPL(ti, dpl) ((ti)->flags = (uint8_t)((ti)->flags | (dpl)))
#define TI_SET_IF(ti, set)  ((ti)->flags = (uint8_t)((ti)->flags | ((!!(set)) << 2)))

/* vcpu_guest_context.flags */
#define VGCF_i387_valid               (1 << 0)
#define VGCF_in_kernel                (1 << 2)
#define VGCF_failsafe_disables_events (1 << 3)
#define VGCF_syscall_disables_events  (1 << 4)
#define VGCF_online                   (1 << 5)

/* ud2, "xen": the next instruction (cpuid) is emulated */
#define XEN_EMULATE_PREFIX_BYTES 0x0f, 0x0b, 0x78, 0x65, 0x6e

/* CPUID leaves of the hypervisor, from XEN_CPUID_FIRST_LEAF */
#define XEN_CPUID_FIRST_LEAF    0x40000000
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558   /* "XenV" */
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d   /* "MMXe" */
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e   /* "nVMM" */
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD (1 << 0)
#define XEN_CPUID_TSC_EMULATED             (1 << 0)
#define XEN_CPUID_HOST_TSC_RELIABLE        (1 << 1)
#define XEN_CPUID_RDTSCP_INSTR_AVAIL       (1 << 2)
#define XEN_CPUID_HVM_APIC_ACCESS_VIRT     (1 << 0)
#define XEN_CPUID_HVM_X2APIC_VIRT          (1 << 1)
#define XEN_CPUID_HVM_IOMMU_MAPPINGS       (1 << 2)
#define XEN_CPUID_HVM_VCPU_ID_PRESENT      (1 << 3)
#define XEN_CPUID_HVM_DOMID_PRESENT        (1 << 4)
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK 0xff

#ifndef __ASSEMBLER__

/* One entry of set_trap_table; the table ends with an entry whose address is 0. */
struct trap_info {
    uint8_t vector;
    uint8_t flags;                /* bits 0-1: lowest privilege that may enter by int n; bit 2: mask events on entry */
    uint16_t cs;
    xen_ulong_t address;
};
typedef struct trap_info trap_info_t;

struct vcpu_guest_context {
    struct {
        char x[512];
    } fpu_ctxt;                            /* FXSAVE image */
    xen_ulong_t flags;                     /* VGCF_* */
    struct cpu_user_regs user_regs;
    struct trap_info trap_ctxt[256];
    xen_ulong_t ldt_base, ldt_ents;
    xen_ulong_t gdt_frames[16], gdt_ents;
    xen_ulong_t kernel_ss, kernel_sp;
    xen_ulong_t ctrlreg[8];                /* 64-bit guests: the user page table is in ctrlreg[1] */
    xen_ulong_t debugreg[8];
#if defined(XEN_ABI_X86_32)
    xen_ulong_t event_callback_cs;
    xen_ulong_t event_callback_eip;
    xen_ulong_t failsafe_callback_cs;
    xen_ulong_t failsafe_callback_eip;
#else
    xen_ulong_t event_callback_eip;
    xen_ulong_t failsafe_callback_eip;
    xen_ulong_t syscall_callback_eip;
#endif
    xen_ulong_t vm_assist;
#if defined(XEN_ABI_X86_64)
    uint64_t fs_base;
    uint64_t gs_base_kernel;
    uint64_t gs_base_user;
#endif
};
typedef struct vcpu_guest_context vcpu_guest_context_t;

struct arch_shared_info {
    xen_ulong_t max_pfn;
    xen_pfn_t pfn_to_mfn_frame_list_list;
    xen_ulong_t nmi_reason;
    xen_ulong_t p2m_cr3;                   /* linear p2m: its page table, its address, its change count */
    xen_ulong_t p2m_vaddr;
    xen_ulong_t p2m_generation;
#if defined(XEN_ABI_X86_32)
    uint32_t wc_sec_hi;
#endif
};
typedef struct arch_shared_info arch_shared_info_t;

#endif /* !__ASSEMBLER__ */
#endif
