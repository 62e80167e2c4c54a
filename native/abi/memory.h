/* memory.h - memory_op(cmd, argument). Facts: xen/include/public/memory.h of Xen 4.17. */
#ifndef XEN_PUBLIC_MEMORY_H
#define XEN_PUBLIC_MEMORY_H

#include "physdev.h"
#include "xen.h"

#define XENMEM_increase_reservation       0
#define XENMEM_decrease_reservation       1
#define XENMEM_maximum_ram_page           2
#define XENMEM_current_reservation        3
#define XENMEM_maximum_reservation        4
#define XENMEM_machphys_mfn_list          5
#define XENMEM_populate_physmap           6
#define XENMEM_add_to_physmap             7
#define XENMEM_translate_gpfn_list        8    /* withdrawn */
#define XENMEM_memory_map                 9
#define XENMEM_machine_memory_map         10
#define XENMEM_exchange                   11
#define XENMEM_machphys_mapping           12
#define XENMEM_set_memory_map             13
#define XENMEM_maximum_gpfn               14
#define XENMEM_remove_from_physmap        15
#define XENMEM_set_pod_target             16
#define XENMEM_get_pod_target             17
#define XENMEM_get_sharing_freed_pages    18
#define XENMEM_get_sharing_shared_pages   19
#define XENMEM_paging_op                  20
#define XENMEM_access_op                  21
#define XENMEM_sharing_op                 22
#define XENMEM_add_to_physmap_batch       23
#define XENMEM_claim_pages                24
#define XENMEM_machphys_compat_mfn_list   25
#define XENMEM_get_vnumainfo              26
#define XENMEM_reserved_device_memory_map 27
#define XENMEM_acquire_resource           28
/* The command is in the low bits; the rest counts progress of a continuation. */
#define MEMOP_EXTENT_SHIFT                6
#define MEMOP_CMD_MASK                    ((1 << MEMOP_EXTENT_SHIFT) - 1)

/* xen_memory_reservation.mem_flags */
#define XENMEMF_address_bits(x)        (x)
#define XENMEMF_get_address_bits(x)    ((x) & 0xffu)
#define XENMEMF_node(x)                ((((x) + 1) & 0xffu) << 8)
#define XENMEMF_get_node(x)            ((((x) >> 8) - 1) & 0xffu)
#define XENMEMF_address_bits_mask      0xff
#define XENMEMF_populate_on_demand     (1 << 16)
#define XENMEMF_exact_node_request     (1 << 17)
#define XENMEMF_vnode                  (1 << 18)

struct xen_memory_reservation {
    XEN_GUEST_HANDLE(xen_pfn_t) extent_start;
    xen_ulong_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;           /* XENMEMF_* */
    domid_t domid;
};
typedef struct xen_memory_reservation xen_memory_reservation_t;

struct xen_memory_exchange {
    struct xen_memory_reservation in;
    struct xen_memory_reservation out;
    xen_ulong_t nr_exchanged;     /* out; must be 0 at first */
};
typedef struct xen_memory_exchange xen_memory_exchange_t;

struct xen_machphys_mfn_list {
    uint32_t max_extents;
    XEN_GUEST_HANDLE(xen_pfn_t) extent_start;
    uint32_t nr_extents;          /* out */
};
typedef struct xen_machphys_mfn_list xen_machphys_mfn_list_t;

struct xen_machphys_mapping {
    xen_ulong_t v_start, v_end;   /* out */
    xen_ulong_t max_mfn;          /* out */
};
typedef struct xen_machphys_mapping xen_machphys_mapping_t;

#define XENMAPSPACE_shared_info  0
#define XENMAPSPACE_grant_table  1
#define XENMAPSPACE_gmfn         2
#define XENMAPSPACE_gmfn_range   3
#define XENMAPSPACE_gmfn_foreign 4
#define XENMAPSPACE_dev_mmio     5
#define XENMAPIDX_grant_table_status 0x80000000u

struct xen_add_to_physmap {
    domid_t domid;
    uint16_t size;                /* gmfn_range only */
    uint32_t space;               /* XENMAPSPACE_* */
    xen_ulong_t idx;
    xen_pfn_t gpfn;
};
typedef struct xen_add_to_physmap xen_add_to_physmap_t;

struct xen_add_to_physmap_batch {
    domid_t domid;
    uint16_t space;
    uint16_t size;
    union {
        domid_t foreign_domid;
        uint16_t res0;
    } u;
    XEN_GUEST_HANDLE(xen_ulong_t) idxs;
    XEN_GUEST_HANDLE(xen_pfn_t) gpfns;
    XEN_GUEST_HANDLE(int) errs;
};
typedef struct xen_add_to_physmap_batch xen_add_to_physmap_batch_t;

struct xen_remove_from_physmap {
    domid_t domid;
    xen_pfn_t gpfn;
};
typedef struct xen_remove_from_physmap xen_remove_from_physmap_t;

struct xen_memory_map {
    uint32_t nr_entries;
    XEN_GUEST_HANDLE(void) buffer;     /* struct e820entry */
};
typedef struct xen_memory_map xen_memory_map_t;

struct xen_foreign_memory_map {
    domid_t domid;
    struct xen_memory_map map;
};
typedef struct xen_foreign_memory_map xen_foreign_memory_map_t;

#define E820_RAM      1
#define E820_RESERVED 2
#define E820_ACPI     3
#define E820_NVS      4
#define E820_UNUSABLE 5
#pragma pack(push, 1)
struct e820entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;                /* E820_* */
};
#pragma pack(pop)

struct xen_pod_target {
    uint64_t target_pages;
    uint64_t tot_pages;           /* out */
    uint64_t pod_cache_pages;     /* out */
    uint64_t pod_entries;         /* out */
    domid_t domid;
};
typedef struct xen_pod_target xen_pod_target_t;

struct xen_reserved_device_memory {
    xen_pfn_t start_pfn;
    xen_ulong_t nr_pages;
};
typedef struct xen_reserved_device_memory xen_reserved_device_memory_t;

#define XENMEM_RDM_ALL 1
struct xen_reserved_device_memory_map {
    uint32_t flags;               /* XENMEM_RDM_ALL */
    uint32_t nr_entries;
    XEN_GUEST_HANDLE(xen_reserved_device_memory_t) buffer;
    union {
        struct physdev_pci_device pci;
    } dev;
};
typedef struct xen_reserved_device_memory_map xen_reserved_device_memory_map_t;

#define XENMEM_resource_ioreq_server 0
#define XENMEM_resource_grant_table  1
#define XENMEM_resource_vmtrace_buf  2
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1
struct xen_mem_acquire_resource {
    domid_t domid;
    uint16_t type;                /* XENMEM_resource_* */
    uint32_t id;
    uint32_t nr_frames;           /* in and out */
    uint32_t pad;
    uint64_t frame;
    XEN_GUEST_HANDLE(xen_pfn_t) frame_list;
};
typedef struct xen_mem_acquire_resource xen_mem_acquire_resource_t;

struct xen_vnuma_topology_info {
    domid_t domid;
    uint16_t pad;
    uint32_t nr_vnodes;           /* in and out */
    uint32_t nr_vcpus;            /* in and out */
    uint32_t nr_vmemranges;       /* in and out */
    union {
        XEN_GUEST_HANDLE(uint32_t) h;
        uint64_t pad;
    } vdistance;
    union {
        XEN_GUEST_HANDLE(uint32_t) h;
        uint64_t pad;
    } vcpu_to_vnode;
    union {
        XEN_GUEST_HANDLE(void) h;
        uint64_t pad;
    } vmemrange;
};
typedef struct xen_vnuma_topology_info xen_vnuma_topology_info_t;

#endif
