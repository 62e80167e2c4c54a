/* hvm.h - what an HVM or PVH kernel finds when it starts. Facts: xen/include/public/arch-x86/hvm/start_info.h. */
#ifndef XEN_PUBLIC_HVM_H
#define XEN_PUBLIC_HVM_H

#include "types.h"

/* Handed to an HVM/PVH kernel in ebx. */
#define XEN_HVM_START_MAGIC_VALUE 0x336ec578
struct hvm_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    uint64_t memmap_paddr;
    uint32_t memmap_entries;
    uint32_t reserved;
};
struct hvm_modlist_entry {
    uint64_t paddr;
    uint64_t size;
    uint64_t cmdline_paddr;
    uint64_t reserved;
};
struct hvm_memmap_table_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

/* hvm_op(cmd, argument). Facts: xen/include/public/hvm/hvm_op.h. */
#define HVMOP_set_param                0
#define HVMOP_get_param                1
#define HVMOP_flush_tlbs               5
#define HVMOP_pagetable_dying          9
#define HVMOP_get_time                 10
#define HVMOP_set_evtchn_upcall_vector 23
#define HVMOP_altp2m                   25
#define HVM_NR_PARAMS                  39
struct xen_hvm_param {
    domid_t domid;
    uint16_t pad;
    uint32_t index;
    uint64_t value;
};
struct xen_hvm_pagetable_dying {
    domid_t domid;
    uint16_t pad[3];
    uint64_t gpa;                 /* of a top-level page table that will not be used again */
};
struct xen_hvm_get_time { uint64_t now; };
struct xen_hvm_evtchn_upcall_vector {
    uint32_t vcpu;
    uint8_t vector;
};

/* Parameters (HVMOP_set_param, HVMOP_get_param). Facts: xen/include/public/hvm/params.h. */
#define HVM_PARAM_CALLBACK_IRQ     0     /* how events come: type in bits 63..56 */
#define HVM_PARAM_CALLBACK_TYPE_SHIFT   56
#define HVM_PARAM_CALLBACK_TYPE_GSI     0
#define HVM_PARAM_CALLBACK_TYPE_PCI_INTX 1       /* bus in bits 31..16, device and function in 15..8, pin in 1..0 */
#define HVM_PARAM_CALLBACK_TYPE_VECTOR  2
#define HVM_PARAM_STORE_PFN        1
#define HVM_PARAM_STORE_EVTCHN     2
#define HVM_PARAM_PAE_ENABLED      4
#define HVM_PARAM_IOREQ_PFN        5
#define HVM_PARAM_BUFIOREQ_PFN     6
#define HVM_PARAM_VIRIDIAN         9
#define HVM_PARAM_TIMER_MODE       10
#define HVM_PARAM_HPET_ENABLED     11
#define HVM_PARAM_IDENT_PT         12
#define HVM_PARAM_ACPI_S_STATE     14
#define HVM_PARAM_VM86_TSS         15
#define HVM_PARAM_VPT_ALIGN        16
#define HVM_PARAM_CONSOLE_PFN      17
#define HVM_PARAM_CONSOLE_EVTCHN   18
#define HVM_PARAM_ACPI_IOPORTS_LOCATION 19
#define HVM_PARAM_TRIPLE_FAULT_REASON 31

/* Frames for Xen's own use at the end of a domain's low memory: from here on, eight. Facts: xen/tools/include/xen-tools,
 * tools/libs/guest/xg_dom_x86.c. */
#define HVM_SPECIAL_FIRST_GFN      0xfeff8
#define HVM_SPECIAL_GFNS           8
#define HVM_SPECIAL_XENSTORE_GFN   0xfeffc
#define HVM_SPECIAL_CONSOLE_GFN    0xfefff

#endif
