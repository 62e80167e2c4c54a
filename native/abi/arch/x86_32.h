/* x86_32.h - the interface of 32-bit (PAE) PV guests. Facts: xen/include/public/arch-x86/xen-x86_32.h. */
#ifndef XEN_PUBLIC_ARCH_X86_32_H
#define XEN_PUBLIC_ARCH_X86_32_H

/* Flat selectors in the hypervisor's part of every GDT: the guest's kernel runs in ring 1. */
#define FLAT_RING1_CS 0xe019
#define FLAT_RING1_DS 0xe021
#define FLAT_RING1_SS 0xe021
#define FLAT_RING3_CS 0xe02b
#define FLAT_RING3_DS 0xe033
#define FLAT_RING3_SS 0xe033
#define FLAT_KERNEL_CS FLAT_RING1_CS
#define FLAT_KERNEL_DS FLAT_RING1_DS
#define FLAT_KERNEL_SS FLAT_RING1_SS
#define FLAT_USER_CS   FLAT_RING3_CS
#define FLAT_USER_DS   FLAT_RING3_DS
#define FLAT_USER_SS   FLAT_RING3_SS

#define HYPERVISOR_VIRT_START 0xF5800000
#define MACH2PHYS_VIRT_START  0xF5800000
#define MACH2PHYS_VIRT_END    0xF6800000
#define MACH2PHYS_NR_ENTRIES  ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 2)

#ifndef __ASSEMBLER__

struct cpu_user_regs {
    uint32_t ebx, ecx, edx, esi, edi, ebp, eax;
    uint16_t error_code;          /* private */
    uint16_t entry_vector;        /* private */
    uint32_t eip;
    uint16_t cs;
    uint8_t saved_upcall_mask;
    uint8_t _pad0;
    uint32_t eflags;              /* IF is the inverse of saved_upcall_mask */
    uint32_t esp;
    uint16_t ss, _pad1;
    uint16_t es, _pad2;
    uint16_t ds, _pad3;
    uint16_t fs, _pad4;
    uint16_t gs, _pad5;
};
typedef struct cpu_user_regs cpu_user_regs_t;

struct arch_vcpu_info {
    xen_ulong_t cr2;
    xen_ulong_t pad[5];
};
typedef struct arch_vcpu_info arch_vcpu_info_t;

struct xen_callback {
    xen_ulong_t cs;
    xen_ulong_t eip;
};
typedef struct xen_callback xen_callback_t;

#endif /* !__ASSEMBLER__ */

/* A page directory above 4 GiB does not fit into cr3: its high frame bits travel in the low bits. */
#define xen_pfn_to_cr3(pfn) (((uint32_t)(pfn) << 12) | ((uint32_t)(pfn) >> 20))
#define xen_cr3_to_pfn(cr3) (((uint32_t)(cr3) >> 12) | ((uint32_t)(cr3) << 20))

#include "x86.h"

#endif
