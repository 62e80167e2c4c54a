/* x86_64.h - the interface of 64-bit PV guests. Facts: xen/include/public/arch-x86/xen-x86_64.h. */
#ifndef XEN_PUBLIC_ARCH_X86_64_H
#define XEN_PUBLIC_ARCH_X86_64_H

/* Flat selectors in the hypervisor's part of every GDT. Guest kernel and guest user both run at CPL 3. */
#define FLAT_RING3_CS32 0xe023
#define FLAT_RING3_CS64 0xe033
#define FLAT_RING3_DS32 0xe02b
#define FLAT_RING3_DS64 0x0000
#define FLAT_RING3_SS32 0xe02b
#define FLAT_RING3_SS64 0xe02b
#define FLAT_KERNEL_CS64 FLAT_RING3_CS64
#define FLAT_KERNEL_CS32 FLAT_RING3_CS32
#define FLAT_KERNEL_CS   FLAT_KERNEL_CS64
#define FLAT_KERNEL_DS64 FLAT_RING3_DS64
#define FLAT_KERNEL_DS32 FLAT_RING3_DS32
#define FLAT_KERNEL_DS   FLAT_KERNEL_DS64
#define FLAT_KERNEL_SS64 FLAT_RING3_SS64
#define FLAT_KERNEL_SS32 FLAT_RING3_SS32
#define FLAT_KERNEL_SS   FLAT_KERNEL_SS64
#define FLAT_USER_CS64   FLAT_RING3_CS64
#define FLAT_USER_CS32   FLAT_RING3_CS32
#define FLAT_USER_CS     FLAT_USER_CS64
#define FLAT_USER_DS64   FLAT_RING3_DS64
#define FLAT_USER_DS32   FLAT_RING3_DS32
#define FLAT_USER_DS     FLAT_USER_DS64
#define FLAT_USER_SS64   FLAT_RING3_SS64
#define FLAT_USER_SS32   FLAT_RING3_SS32
#define FLAT_USER_SS     FLAT_USER_SS64

/* The hypervisor's hole in the address space (L4 slots 256 to 271), and the machine-to-phys table in it. */
#define HYPERVISOR_VIRT_START 0xFFFF800000000000
#define HYPERVISOR_VIRT_END   0xFFFF880000000000
#define MACH2PHYS_VIRT_START  0xFFFF800000000000
#define MACH2PHYS_VIRT_END    0xFFFF804000000000
#define MACH2PHYS_NR_ENTRIES  ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3)

/* set_segment_base: which */
#define SEGBASE_FS          0
#define SEGBASE_GS_USER     1
#define SEGBASE_GS_KERNEL   2
#define SEGBASE_GS_USER_SEL 3

/* iret_context.flags: the frame was made by SYSCALL; rcx and r11 need not be restored */
#define VGCF_in_syscall (1 << 8)

#ifndef __ASSEMBLER__

/* What the iret hypercall finds on the kernel stack, lowest address first. */
struct iret_context {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

struct cpu_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code;          /* private */
    uint32_t entry_vector;        /* private */
    uint64_t rip;
    uint16_t cs, _pad0[1];
    uint8_t saved_upcall_mask;
    uint8_t _pad1[3];
    uint64_t rflags;              /* IF is the inverse of saved_upcall_mask */
    uint64_t rsp;
    uint16_t ss, _pad2[3];
    uint16_t es, _pad3[3];
    uint16_t ds, _pad4[3];
    uint16_t fs, _pad5[3];        /* not null: takes precedence over fs_base */
    uint16_t gs, _pad6[3];
};
typedef struct cpu_user_regs cpu_user_regs_t;

struct arch_vcpu_info {
    xen_ulong_t cr2;              /* address of the page fault being delivered */
    xen_ulong_t pad;
};
typedef struct arch_vcpu_info arch_vcpu_info_t;

typedef xen_ulong_t xen_callback_t;

#endif /* !__ASSEMBLER__ */

#define xen_pfn_to_cr3(pfn) ((xen_ulong_t)(pfn) << 12)
#define xen_cr3_to_pfn(cr3) ((xen_ulong_t)(cr3) >> 12)

#include "x86.h"

#endif
