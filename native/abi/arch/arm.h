/* arm.h - the interface of ARM guests; arm and aarch64 share one layout, all longs and handles are 64 bits.
 * Facts: xen/include/public/arch-arm.h. */
#ifndef XEN_PUBLIC_ARCH_ARM_H
#define XEN_PUBLIC_ARCH_ARM_H

#define XEN_LEGACY_MAX_VCPUS 1
#define XEN_HYPERCALL_TAG    0xEA1   /* hvc #0xEA1; number in x16 / r12 */

/* vcpu_guest_context.flags */
#define VGCF_online (1 << 0)

/* registers at a vcpu's start: by Xen's tools, for Linux' boot protocols */
#define PSR_GUEST64_INIT  0x1c5      /* EL1h; SError, IRQ and FIQ masked */
#define PSR_GUEST32_INIT  0x1d3      /* supervisor mode; the same masked */
#define SCTLR_GUEST_INIT  0x00c50078

/* the platform that the builder describes in the device tree */
#define GUEST_GICD_BASE         0x03001000
#define GUEST_GICD_SIZE         0x00001000
#define GUEST_GICC_BASE         0x03002000
#define GUEST_GICC_SIZE         0x00002000
#define GUEST_GICV3_GICD_BASE   0x03001000
#define GUEST_GICV3_GICD_SIZE   0x00010000
#define GUEST_GICV3_GICR0_BASE  0x03020000
#define GUEST_GICV3_GICR0_SIZE  0x01000000
#define GUEST_PL011_BASE        0x22000000
#define GUEST_PL011_SIZE        0x00001000
#define GUEST_GNTTAB_BASE       0x38000000
#define GUEST_GNTTAB_SIZE       0x01000000
#define GUEST_MAGIC_BASE        0x39000000
#define GUEST_MAGIC_SIZE        0x01000000
#define GUEST_RAM0_BASE         0x40000000
#define GUEST_RAM0_SIZE         0xc0000000
#define GUEST_RAM1_BASE         0x0200000000
#define GUEST_RAM1_SIZE         0xfe00000000
#define GUEST_TIMER_VIRT_PPI    27
#define GUEST_TIMER_PHYS_S_PPI  29
#define GUEST_TIMER_PHYS_NS_PPI 30
#define GUEST_EVTCHN_PPI        31
#define GUEST_VPL011_SPI        32
#define GUEST_PHANDLE_GIC       65000    /* by which the tree's nodes name the interrupt controller */
#define GUEST_ROOT_ADDRESS_CELLS 2
#define GUEST_ROOT_SIZE_CELLS   2
/* pages of the magic region, by number (tools/libs/guest/xg_dom_arm.c) */
#define GUEST_MAGIC_CONSOLE     0
#define GUEST_MAGIC_XENSTORE    1
#define GUEST_MAGIC_MEMACCESS   2
#define GUEST_MAGIC_VUART       3
#define GUEST_MAGIC_PAGES       4

/* HVM_PARAM_CALLBACK_IRQ's type, beside those of hvm.h: a PPI in bits 7..0, flags above it. xen/include/public/hvm/params.h */
#define HVM_PARAM_CALLBACK_TYPE_PPI                2
#define HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_MASK      0xFF00
#define HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_LOW_LEVEL 2

/* PSCI's functions, by hvc or smc #0: those of version 0.1 as Xen numbers them, then the standard ones, with the 64-bit
 * calling convention in bit 30. Facts: Arm DEN 0022. */
#define PSCI_cpu_suspend        0
#define PSCI_cpu_off            1
#define PSCI_cpu_on             2
#define PSCI_migrate            3
#define PSCI_FN64               0x40000000
#define PSCI_FN_VERSION         0x84000000
#define PSCI_FN_CPU_SUSPEND     0x84000001
#define PSCI_FN_CPU_OFF         0x84000002
#define PSCI_FN_CPU_ON          0x84000003
#define PSCI_FN_AFFINITY_INFO   0x84000004
#define PSCI_FN_MIGRATE         0x84000005
#define PSCI_FN_MIGRATE_INFO_TYPE 0x84000006
#define PSCI_FN_SYSTEM_OFF      0x84000008
#define PSCI_FN_SYSTEM_RESET    0x84000009
#define PSCI_FN_FEATURES        0x8400000A
#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      -1
#define PSCI_INVALID_PARAMETERS -2
#define PSCI_DENIED             -3
#define PSCI_ALREADY_ON         -4
#define PSCI_ON_PENDING         -5
#define PSCI_INTERNAL_FAILURE   -6
#define PSCI_NOT_PRESENT        -7
#define PSCI_DISABLED           -8
#define PSCI_INVALID_ADDRESS    -9
#define PSCI_AFFINITY_ON        0
#define PSCI_AFFINITY_OFF       1
#define PSCI_AFFINITY_ON_PENDING 2
#define PSCI_VERSION_1_0        0x00010000
#define PSCI_VERSION_1_1        0x00010001   /* Xen 4.17's */
#define PSCI_MIGRATE_NOT_NEEDED 2            /* of PSCI_FN_MIGRATE_INFO_TYPE: no trusted system that would have to move */

/* The calling convention's own functions (Arm DEN 0028): of the architecture, and what each service says of itself. The UIDs
 * are Xen's: xen/include/public/arch-arm/smccc.h, as a caller finds them in r0..r3. */
#define SMCCC_VERSION           0x80000000
#define SMCCC_ARCH_FEATURES     0x80000001
#define SMCCC_ARCH_WORKAROUND_1 0x80008000
#define SMCCC_ARCH_WORKAROUND_2 0x80007FFF
#define SMCCC_ARCH_WORKAROUND_3 0x80003FFF
#define SMCCC_VERSION_1_1       0x00010001
#define SMCCC_NOT_SUPPORTED     -1
#define SMCCC_STANDARD_COUNT    0x8400FF00
#define SMCCC_STANDARD_UID      0x8400FF01
#define SMCCC_STANDARD_REVISION 0x8400FF03
#define SMCCC_XEN_COUNT         0x8600FF00
#define SMCCC_XEN_UID           0x8600FF01
#define SMCCC_XEN_REVISION      0x8600FF03
#define SMCCC_STANDARD_UID_0    0x6F3863F8
#define SMCCC_STANDARD_UID_1    0xBD4C394B
#define SMCCC_STANDARD_UID_2    0x16CE2092
#define SMCCC_STANDARD_UID_3    0x6F9FE541
#define SMCCC_XEN_UID_0         0xDC1218A7
#define SMCCC_XEN_UID_1         0x694398C6
#define SMCCC_XEN_UID_2         0xD179CF9A
#define SMCCC_XEN_UID_3         0x67E6DE8D

#ifndef __ASSEMBLER__

/* AArch64 names; AArch32 registers lie in them as the architecture maps them. */
struct vcpu_guest_core_regs {
    uint64_t x[31];
    uint64_t pc64;
    uint64_t cpsr;
    uint32_t spsr_el1;
    uint32_t spsr_fiq, spsr_irq, spsr_und, spsr_abt;
    uint64_t sp_el0, sp_el1, elr_el1;
};

struct vcpu_guest_context {
    uint32_t flags;                /* VGCF_* */
    struct vcpu_guest_core_regs user_regs;
    uint64_t sctlr;
    uint64_t ttbcr, ttbr0, ttbr1;
};
typedef struct vcpu_guest_context vcpu_guest_context_t;

struct arch_vcpu_info {
};
typedef struct arch_vcpu_info arch_vcpu_info_t;
struct arch_shared_info {
};
typedef struct arch_shared_info arch_shared_info_t;
typedef uint64_t xen_callback_t;

#endif /* !__ASSEMBLER__ */
#endif
