/* grant_table.h - grant tables and grant_table_op(cmd, array, count). Facts: xen/include/public/grant_table.h. */
#ifndef XEN_PUBLIC_GRANT_TABLE_H
#define XEN_PUBLIC_GRANT_TABLE_H

#include "xen.h"

typedef uint32_t grant_ref_t;
typedef uint32_t grant_handle_t;

/* ---- the table that a domain shares with Xen ---- */
/* flags: type in bits 0-1 */
#define GTF_invalid           0
#define GTF_permit_access     1
#define GTF_accept_transfer   2
#define GTF_transitive        3   /* version 2 only */
#define GTF_type_mask         3
/* of permit_access and transitive */
#define GTF_readonly          (1 << 2)   /* set by the granter */
#define GTF_reading           (1 << 3)   /* set by Xen */
#define GTF_writing           (1 << 4)   /* set by Xen */
#define GTF_PWT               (1 << 5)
#define GTF_PCD               (1 << 6)
#define GTF_PAT               (1 << 7)
#define GTF_sub_page          (1 << 8)   /* version 2: grant of a part of a page, for copying only */
/* of accept_transfer, set by Xen */
#define GTF_transfer_committed (1 << 2)
#define GTF_transfer_completed (1 << 3)

/* references with a fixed meaning */
#define GNTTAB_RESERVED_CONSOLE      0
#define GNTTAB_RESERVED_XENSTORE     1
#define GNTTAB_NR_RESERVED_ENTRIES   8

struct grant_entry_v1 {
    uint16_t flags;
    domid_t domid;                /* who may use it */
    uint32_t frame;               /* gfn */
};
typedef struct grant_entry_v1 grant_entry_v1_t;

struct grant_entry_header {
    uint16_t flags;
    domid_t domid;
};
typedef struct grant_entry_header grant_entry_header_t;

union grant_entry_v2 {
    struct grant_entry_header hdr;
    struct {
        struct grant_entry_header hdr;
        uint32_t pad0;
        uint64_t frame;
    } full_page;
    struct {
        struct grant_entry_header hdr;
        uint16_t page_off;
        uint16_t length;
        uint64_t frame;
    } sub_page;
    struct {
        struct grant_entry_header hdr;
        domid_t trans_domid;
        uint16_t pad0;
        grant_ref_t gref;
    } transitive;
    uint32_t __spacer[4];
};
typedef union grant_entry_v2 grant_entry_v2_t;

typedef uint16_t grant_status_t;  /* version 2: GTF_reading and GTF_writing live in frames of their own */

/* ---- operations ---- */
#define GNTTABOP_map_grant_ref     0
#define GNTTABOP_unmap_grant_ref   1
#define GNTTABOP_setup_table       2
#define GNTTABOP_dump_table        3
#define GNTTABOP_transfer          4
#define GNTTABOP_copy              5
#define GNTTABOP_query_size        6
#define GNTTABOP_unmap_and_replace 7
#define GNTTABOP_set_version       8
#define GNTTABOP_get_status_frames 9
#define GNTTABOP_get_version       10
#define GNTTABOP_swap_grant_ref    11
#define GNTTABOP_cache_flush       12

struct gnttab_map_grant_ref {
    uint64_t host_addr;           /* where: a linear address, or the machine address of an L1 entry */
    uint32_t flags;               /* GNTMAP_* */
    grant_ref_t ref;
    domid_t dom;
    int16_t status;               /* out: GNTST_* */
    grant_handle_t handle;        /* out */
    uint64_t dev_bus_addr;        /* out */
};
typedef struct gnttab_map_grant_ref gnttab_map_grant_ref_t;

struct gnttab_unmap_grant_ref {
    uint64_t host_addr;
    uint64_t dev_bus_addr;
    grant_handle_t handle;
    int16_t status;               /* out */
};
typedef struct gnttab_unmap_grant_ref gnttab_unmap_grant_ref_t;

struct gnttab_setup_table {
    domid_t dom;
    uint32_t nr_frames;
    int16_t status;               /* out */
    XEN_GUEST_HANDLE(xen_pfn_t) frame_list;
};
typedef struct gnttab_setup_table gnttab_setup_table_t;

struct gnttab_dump_table {
    domid_t dom;
    int16_t status;               /* out */
};
typedef struct gnttab_dump_table gnttab_dump_table_t;

struct gnttab_transfer {
    xen_pfn_t mfn;
    domid_t domid;
    grant_ref_t ref;
    int16_t status;               /* out */
};
typedef struct gnttab_transfer gnttab_transfer_t;

#define GNTCOPY_source_gref (1 << 0)
#define GNTCOPY_dest_gref   (1 << 1)
struct gnttab_copy_ptr {
    union {
        grant_ref_t ref;
        xen_pfn_t gmfn;
    } u;
    domid_t domid;
    uint16_t offset;
};
struct gnttab_copy {
    struct gnttab_copy_ptr source, dest;
    uint16_t len;
    uint16_t flags;               /* GNTCOPY_* */
    int16_t status;               /* out */
};
typedef struct gnttab_copy gnttab_copy_t;

struct gnttab_query_size {
    domid_t dom;
    uint32_t nr_frames;           /* out */
    uint32_t max_nr_frames;       /* out */
    int16_t status;               /* out */
};
typedef struct gnttab_query_size gnttab_query_size_t;

struct gnttab_unmap_and_replace {
    uint64_t host_addr;
    uint64_t new_addr;
    grant_handle_t handle;
    int16_t status;               /* out */
};
typedef struct gnttab_unmap_and_replace gnttab_unmap_and_replace_t;

struct gnttab_set_version {
    uint32_t version;             /* in and out */
};
typedef struct gnttab_set_version gnttab_set_version_t;

struct gnttab_get_status_frames {
    uint32_t nr_frames;
    domid_t dom;
    int16_t status;               /* out */
    XEN_GUEST_HANDLE(uint64_t) frame_list;
};
typedef struct gnttab_get_status_frames gnttab_get_status_frames_t;

struct gnttab_get_version {
    domid_t dom;
    uint16_t pad;
    uint32_t version;             /* out */
};
typedef struct gnttab_get_version gnttab_get_version_t;

struct gnttab_swap_grant_ref {
    grant_ref_t ref_a;
    grant_ref_t ref_b;
    int16_t status;               /* out */
};
typedef struct gnttab_swap_grant_ref gnttab_swap_grant_ref_t;

#define GNTTAB_CACHE_CLEAN       (1 << 0)
#define GNTTAB_CACHE_INVAL       (1 << 1)
#define GNTTAB_CACHE_SOURCE_GREF (1u << 31)
struct gnttab_cache_flush {
    union {
        uint64_t dev_bus_addr;
        grant_ref_t ref;
    } a;
    uint16_t offset;
    uint16_t length;
    uint32_t op;                  /* GNTTAB_CACHE_* */
};
typedef struct gnttab_cache_flush gnttab_cache_flush_t;

/* map flags */
#define GNTMAP_device_map      (1 << 0)
#define GNTMAP_host_map        (1 << 1)
#define GNTMAP_readonly        (1 << 2)
#define GNTMAP_application_map (1 << 3)
#define GNTMAP_contains_pte    (1 << 4)   /* host_addr is the machine address of a page-table entry */
#define GNTMAP_guest_avail0    16
#define GNTMAP_guest_avail_mask 0xffff0000u

/* status of one operation */
#define GNTST_okay              0
#define GNTST_general_error     (-1)
#define GNTST_bad_domain        (-2)
#define GNTST_bad_gntref        (-3)
#define GNTST_bad_handle        (-4)
#define GNTST_bad_virt_addr     (-5)
#define GNTST_bad_dev_addr      (-6)
#define GNTST_no_device_space   (-7)
#define GNTST_permission_denied (-8)
#define GNTST_bad_page          (-9)
#define GNTST_bad_copy_arg      (-10)
#define GNTST_address_too_big   (-11)
#define GNTST_eagain            (-12)
#define GNTST_no_space          (-13)

#endif
